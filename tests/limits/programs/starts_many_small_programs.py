# Holds 200 MB and starts small programs, which have its memory between vfork and exec. That must not count twice.
import subprocess

hog = bytearray(b'x') * (200 << 20)
for _ in range(150):
    subprocess.run(['/bin/true'], check=True)
print('done')
