# Tries to set a default access list, which decides the mode of everything made below. Must be refused.
import os, struct

acl = struct.pack('<I', 2) + b''.join(
    struct.pack('<HHI', t, p, 0xFFFFFFFF) for t, p in ((1, 7), (4, 0), (32, 0))
)
for d in ('.', os.environ['TMPDIR'], os.environ['HOME']):
    try:
        os.setxattr(d, 'system.posix_acl_default', acl)
    except OSError:
        pass
