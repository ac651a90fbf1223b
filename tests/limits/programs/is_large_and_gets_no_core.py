# Holds 380 MB in small pages, and at the lowest priority takes its time to end. Its timeout must hold, and the next
# step begin.
m = mmap.mmap(-1, 380 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m.madvise(15)
m.write(bytes(380 << 20))
open('go', 'w').close()
lowest()
while True:
    pass
