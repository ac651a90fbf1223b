"""The programs: each holds as much of one kind as it is let."""

PRELUDE = """
import array, ctypes, fcntl, mmap, os, pty, resource, select, signal, socket, struct, sys, time
held = 0
def say(): print(held, flush=True)
def fill(s):
    s.setblocking(False)
    try:
        while s.send(b'x' * 4096): pass
    except OSError: pass
def most(make, n=10**6):
    made = []
    try:
        while len(made) < n: made.append(make())
    except OSError: pass
    return made
libc = ctypes.CDLL(None, use_errno=True)
"""

# In processes of their own, as many as there may be, one after the other until the last has said that it is done.
EACH = """
r, w = os.pipe()
for _ in range({processes}):
    if os.fork() == 0:
        {program}
        os.write(w, b'x'); time.sleep(60); os._exit(0)
    os.read(r, 1); held += 1
"""

KINDS = {
    "nothing": "",
    "sockets of a tree that has few of them": """
pairs = most(socket.socketpair, 31)
for a, b in pairs: fill(a); fill(b); held += 2
""",
    "sockets of a tree that has few descriptors": """
pairs = most(socket.socketpair, 120)
for a, b in pairs: fill(a); fill(b); held += 2
""",
    "descriptors that epolls watch": """
polls = most(select.epoll, 63)
ends = [end for pipe in most(os.pipe, 450) for end in pipe]
for poll in polls:
    for end in ends: poll.register(end, select.EPOLLIN); held += 1
""",
    "pipes": EACH.format(processes=3, program="""
        pipes = most(os.pipe, 340)
        for a, b in pipes:
            os.set_blocking(b, False)
            try:
                while os.write(b, b'x' * 4096): pass
            except OSError: pass
"""),
    "other open files": EACH.format(processes=5, program="""
        files = most(lambda: os.open('/proc/self/stat', os.O_RDONLY), 800)
        for f in files: os.read(f, 1)
"""),
    "descriptors in flight": """
a, b = socket.socketpair()
a.setblocking(False)
try:
    while True:
        x, y = socket.socketpair(); fill(x); fill(y)
        a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [x.fileno(), y.fileno()]))])
        x.close(); y.close(); held += 2
except OSError: pass
""",
    "events of inotify that nobody reads": """
names = ['n' * 250 + str(i) for i in range(4)]
for i in most(lambda: libc.inotify_init1(0) if held > 200 else (lambda fd: fd if fd >= 0 else os.open('/nowhere', 0))(libc.inotify_init1(0)), 128):
    libc.inotify_add_watch(i, os.getcwd().encode(), 0xfff); held += 1
for _ in range(9000):
    for name in names: os.close(os.open(name, os.O_CREAT | os.O_RDWR))
""",
    "timers": """
event = ctypes.create_string_buffer(64); timer = ctypes.c_void_p()
while libc.timer_create(1, None, ctypes.byref(timer)) == 0: held += 1
""",
    "queued signals": """
signal.pthread_sigmask(signal.SIG_BLOCK, range(34, 60))
libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
while libc.sigqueue(os.getpid(), 40, None) == 0: held += 1
""",
    "pseudo-terminals": """
for master, slave in most(pty.openpty):
    os.set_blocking(master, False)
    try:
        while os.write(master, b'x\\n' * 1000): pass
    except OSError: pass
    held += 1
""",
    "mappings where there are few": EACH.format(processes=55, program="""
        m = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        at = ctypes.addressof(ctypes.c_char.from_buffer(m))
        for i in range(0, 4 << 20, 8192): libc.mprotect(at + i, 4096, 1)
"""),
    "a tenth of a million locks": """
f = [os.open(f'f{i}', os.O_CREAT | os.O_RDWR) for i in range(200)]
for fd in f:
    for i in range(500): fcntl.lockf(fd, fcntl.LOCK_EX, 1, 2 * i); held += 1
""",
    "shared memory of which the end was unmapped, 200 MB of it": """
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
kept, size = [], 4 << 20
for _ in range(50):
    m = mmap.mmap(-1, size); m.write(bytes(size)); kept.append(m)
    libc.munmap(ctypes.addressof(ctypes.c_char.from_buffer(m)) + 4096, size - 4096); held += 4
""",
    "files of a private root": """
for n in range(100000): os.close(os.open(f'f{n}', os.O_CREAT)); held += 1
""",
    "connections that were never accepted": """
for n in range(30):
    s = socket.socket(socket.AF_UNIX); s.bind(f'\\0n{n}'); s.listen(4096); globals()[f's{n}'] = s
    for _ in range(1000):
        c = socket.socket(socket.AF_UNIX); c.connect(f'\\0n{n}'); c.close(); held += 1
""",
    "processes": EACH.format(processes=55, program="pass"),
    "threads": """
import threading
def start():
    try: t = threading.Thread(target=time.sleep, args=(60,), daemon=True); t.start(); return t
    except RuntimeError: raise OSError
threading.stack_size(65536)
held = len(most(start))
""",
}
