# Holds 120 MB in files without a name, in a process that forbids others to look at its descriptors. Must end in
# disk_limit.
import ctypes, os, time

assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
for n in range(30):
    os.open('f', os.O_CREAT | os.O_RDWR)
    os.unlink('f')
    os.write(os.open('f', os.O_CREAT | os.O_RDWR), bytes(4 << 20))
    os.unlink('f')
print('kept', flush=True)
time.sleep(60)
