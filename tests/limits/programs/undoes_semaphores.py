# Has 50 processes use 1,500 sets of semaphores with SEM_UNDO: for each the kernel keeps a list as long as the set.
# Must count as memory of the program's; a set of 256 must be refused.
import ctypes, os, time

libc = ctypes.CDLL(None, use_errno=True)
print(libc.semget(0, 256, 0o600), flush=True)
sets = [libc.semget(0, 255, 0o600) for _ in range(1500)]
one = (ctypes.c_short * 3)(0, 1, 0x1000)
r, w = os.pipe()
for _ in range(50):
    if os.fork() == 0:
        for s in sets:
            libc.semop(s, one, 1)
        os.write(w, b'x')
        time.sleep(60)
        os._exit(0)
for _ in range(50):
    os.read(r, 1)
time.sleep(float(os.environ['REST']))
print('done')
