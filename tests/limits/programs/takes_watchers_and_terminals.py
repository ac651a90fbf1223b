# Takes inotify instances and terminals until it can't, and says how many it got, which must be few.
import ctypes, os

libc = ctypes.CDLL(None)
watchers = 0
while watchers < 200 and libc.inotify_init1(0) >= 0:
    watchers += 1
terminals = 0
try:
    while terminals < 200:
        os.openpty()
        terminals += 1
except OSError:
    pass
print(watchers, terminals)
