# Leaves a page in each of 9,000 pipes. Must count as memory of the program's.
import os, time

print('kept', flush=True)
for _ in range(10):
    if os.fork() == 0:
        ends = []
        for _ in range(900):
            a, b = os.pipe()
            os.write(b, b'x' * 4096)
            os.close(b)
            ends.append(a)
        time.sleep(60)
        os._exit(0)
time.sleep(1)
time.sleep(float(os.environ['REST']))
print('done')
