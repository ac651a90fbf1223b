# A module that takes a second of CPU time and 60 MB to import. All slots must share one import.
import time

end = time.process_time() + 1
while time.process_time() < end:
    pass
data = bytearray(60 << 20)
for i in range(0, len(data), 4096):
    data[i] = 1
