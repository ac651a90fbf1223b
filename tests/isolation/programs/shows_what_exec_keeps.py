# Shows what a program is born with. Must print the same whatever ran before.
import ctypes, os, resource, signal, socket

l = ctypes.CDLL(None)
print(
    [
        s
        for s in range(1, 65)
        if s not in (2, 13, 25, 32, 33) and signal.getsignal(s) != signal.SIG_DFL
    ],
    signal.pthread_sigmask(signal.SIG_BLOCK, []),
)
m = os.umask(0)
print(
    m,
    os.path.basename(os.getcwd()),
    sorted(os.environ),
    l.prctl(30, 0),
    l.prctl(42, 0, 0, 0, 0),
    l.personality(0xFFFFFFFF),
)
print(
    signal.getitimer(signal.ITIMER_REAL),
    os.nice(0),
    os.sched_getaffinity(0),
    resource.getrlimit(resource.RLIMIT_NOFILE),
    socket.gethostname(),
)
try:
    print(open('/proc/self/oom_score_adj').read())
except OSError:
    pass
