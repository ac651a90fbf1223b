# Has 500 epolls watch 400 descriptors each, which takes the kernel some 200 bytes for each. Must count as memory of
# the program's.
import os, select, time

print('kept', flush=True)
ends = [os.pipe() for _ in range(200)]
epolls = [select.epoll() for _ in range(500)]
for e in epolls:
    for a, b in ends:
        e.register(a, 1)
        e.register(b, 1)
time.sleep(float(os.environ['REST']))
print('done')
