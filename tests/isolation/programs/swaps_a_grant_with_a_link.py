# In a granted directory (its first argument) exchanges one that is granted too (the second) with a link to /usr/share,
# again and again. Nobody must be led there.
import ctypes, os, sys, time

outer, inner = sys.argv[1:]
os.symlink('/usr/share', f'{outer}/link')
inner, link = inner.encode(), f'{outer}/link'.encode()
exchange = ctypes.CDLL(None).renameat2
end = time.time() + 3
while time.time() < end:
    exchange(-100, inner, -100, link, 2)
