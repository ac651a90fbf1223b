# Opens up to a hundred files, and says how many it got, and whether that was all. No more must be possible than the
# limit allows.
import errno, os

n = 0
try:
    while n < 100:
        os.open('/dev/null', os.O_RDONLY)
        n += 1
except OSError as e:
    print(n, errno.errorcode[e.errno])
else:
    print(n, 'all')
