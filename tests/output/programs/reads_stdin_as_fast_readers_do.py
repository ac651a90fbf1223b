# Asks for the size of its stdin, maps it, reads it, and goes back in it. Must work as with any file.
import os, mmap, stat

meta = os.fstat(0)
print(stat.S_ISREG(meta.st_mode), meta.st_size, mmap.mmap(0, 0, prot=mmap.PROT_READ)[:3])
print(os.read(0, 2), os.lseek(0, 0, 0), len(os.read(0, 1 << 26)), os.read(0, 1))
