# Fills 160 MB of shared memory, gives up its pages, and maps a file below whose name is no text. The memory must
# count.
m = mmap.mmap(-1, 160 << 20)
for at in range(0, 160 << 20, 1 << 20):
    m[at : at + (1 << 20)] = bytes([1]) * (1 << 20)
    m.madvise(mmap.MADV_DONTNEED, at, 1 << 20)
f = os.open(b'f\xff', os.O_CREAT | os.O_RDWR)
os.ftruncate(f, 4096)
low = mmap.mmap(f, 4096)
time.sleep(float(os.environ['REST']))
print('done', flush=True)
