# Takes inotify instances with watches, epolls and timers. Is run by daemon.py, and must be gone with its process.
import ctypes, select

l = ctypes.CDLL(None)
fds = [l.inotify_init1(0) for _ in range(100)]
for f in fds:
    l.inotify_add_watch(f, b'/usr', 0xFFF)
e = [select.epoll() for _ in range(20)]
t = [l.timerfd_create(1, 0) for _ in range(20)]
