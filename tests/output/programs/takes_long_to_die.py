# Holds 2 GB in small pages in a child, which takes long to give back. Must be gone when the step after the timeout
# begins.
import mmap, os, time

if os.fork() == 0:
    held = mmap.mmap(-1, 2 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    held.madvise(mmap.MADV_NOHUGEPAGE)
    for at in range(0, len(held), 4096):
        held[at] = 1
    print('held', flush=True)
time.sleep(1000)
