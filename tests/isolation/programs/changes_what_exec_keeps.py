# Changes all that exec keeps: signals, mask, umask, directory, priority, slack, timers, limits, the name of the host.
# Nothing of it must be there in the next episode.
import ctypes, os, resource, signal

for s in range(1, 65):
    try:
        signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
os.umask(0o777)
os.chdir('/usr')
os.environ['LEFT'] = 'x'
l = ctypes.CDLL(None)
l.prctl(29, 999999)
l.prctl(41, 1, 0, 0, 0)
l.personality(0x40000)
for do in (
    lambda: signal.setitimer(signal.ITIMER_REAL, 2),
    lambda: os.nice(5),
    lambda: os.sched_setaffinity(0, [0]),
    lambda: resource.setrlimit(resource.RLIMIT_NPROC, (1, 1)),
    lambda: open('/proc/self/oom_score_adj', 'w').write('1000'),
    lambda: open('/proc/sys/kernel/hostname', 'w').write('left'),
    lambda: l.sethostname(b'left', 4),
):
    try:
        do()
    except (OSError, ValueError):
        pass
