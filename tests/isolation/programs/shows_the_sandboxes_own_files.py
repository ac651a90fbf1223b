# Shows modes, times and attributes of the files that the sandbox has in place of those of /etc. Must print the same
# whatever ran before.
import os

for d, _, fs in sorted(os.walk('/.etc')):
    for f in sorted(fs):
        p = os.path.join(d, f)
        s = os.stat(p)
        print(f, oct(s.st_mode), s.st_mtime == 1)
        try:
            print(os.listxattr(p))
        except OSError as e:
            print(e.errno)
print(open('/etc/hosts').read())
