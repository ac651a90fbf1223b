# Makes files whose names are no UTF-8, and with CLOSE closes others, in closed directories. All must be collected.
import os

for n in (b'\xff', b'\xfe', b'\\xff', 'é'.encode()):
    open(b'out-' + n, 'wb').write(b'a' + n[-1:].hex().encode())
os.close(os.open('closed', os.O_CREAT | os.O_WRONLY, 0))
os.makedirs('shut/in')
open('shut/in/file', 'w').write('in')
os.makedirs('barred/in/deep')
open('barred/in/deep/file', 'w').write('deep')
os.symlink('barred/in', 'to')
if os.environ['CLOSE']:
    os.chmod('barred/in/deep/file', 0)
    os.chmod('barred/in/deep', 0)
    os.chmod('barred/in', 0)
    os.chmod('barred', 0)
    os.chmod('shut', 0)
