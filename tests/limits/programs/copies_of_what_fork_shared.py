# Forks four times, and each child writes to its 40 MB of what was shared: 200 MB, none of which is much. Must be over
# a limit below that, and do no harm under one above.
import os, time

print('kept', flush=True)
data = bytearray(b'x') * (40 << 20)
for _ in range(4):
    if os.fork() == 0:
        for i in range(0, len(data), 4096):
            data[i] = 1
        time.sleep(2)
        os._exit(0)
for _ in range(4):
    os.wait()
print('done')
