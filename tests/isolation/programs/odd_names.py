# Leaves files and directories whose names are no text, options, patterns, or as long as can be. Must be gone.
import os

for n in (b'a\nb', b'\xff\xfe', b'-rf', b' ', b'n' * 255, b'*', b'$HOME', b'\x01'):
    open(n, 'w').close()
    os.mkdir(b'd' + n[:200])
