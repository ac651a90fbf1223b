"""Programs that try to earn time: each wants to look as if the host kept it from running. None of them ever ends."""

PRELUDE = """
import ctypes, mmap, os, signal, socket, sys, threading, time
libc = ctypes.CDLL(None)
def spin(seconds=1e9):
    end = time.monotonic() + seconds
    while time.monotonic() < end: pass
def lower(policy):
    # Refused where the runner is root.
    try: os.sched_setscheduler(0, policy, os.sched_param(0))
    except PermissionError: pass
def spinners(count):
    for _ in range(count):
        if os.fork() == 0: spin()
"""

TRICKS = {
    "computes": "spin()",
    "sleeps": "time.sleep(1000)",
    "takes the lowest priority": "os.nice(19)\nspin()",
    "takes SCHED_IDLE": "lower(os.SCHED_IDLE)\nspin()",
    "takes SCHED_BATCH": "lower(os.SCHED_BATCH)\nspin()",
    "yields for ever": "while True: os.sched_yield()",
    "yields beside one that computes": "spinners(1)\nwhile True: os.sched_yield()",
    "computes in 16 processes": "spinners(15)\nspin()",
    "computes in 16 processes with the lowest priority for itself": "spinners(15)\nos.nice(19)\nspin()",
    "computes in 16 processes on one core": "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nspinners(15)\nspin()",
    "computes in 8 sessions": "for _ in range(7):\n    if os.fork() == 0:\n        os.setsid()\n        spin()\nspin()",
    "stops itself and is continued":
        "me = os.getpid()\n"
        "if os.fork() == 0:\n    while True:\n        os.kill(me, signal.SIGCONT)\n        time.sleep(0.002)\n"
        "while True: os.kill(me, signal.SIGSTOP)",
    "waits for children that compute": "spinners(4)\nwhile True: os.wait()",
    "sleeps for moments": "while True: time.sleep(0.00005)",
    "is interrupted ten thousand times a second":
        "signal.signal(signal.SIGALRM, lambda *_: None)\nsignal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)\nspin()",
    "starts threads that end": "while True:\n    thread = threading.Thread(target=spin, args=(0.005,))\n    thread.start()\n    thread.join()",
    "starts children that it waits for":
        "while True:\n    if os.fork() == 0:\n        spin(0.005)\n        os._exit(0)\n    os.wait()",
    "starts children that nobody waits for":
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "while True:\n    if os.fork() == 0:\n        spin(0.005)\n        os._exit(0)\n    time.sleep(0.002)",
    "starts sixteen at a time that nobody waits for":
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "while True:\n    for _ in range(16):\n        if os.fork() == 0:\n            spin(0.02)\n            os._exit(0)\n    time.sleep(0.1)",
    "hands on to a child and ends":
        "if os.fork(): time.sleep(1000)\nos.setsid()\nwhile True:\n    spin(0.004)\n    if os.fork(): os._exit(0)",
    "runs itself again and again":
        "spin(0.01)\nos.execv('/usr/bin/python3', sys.orig_argv)",
    "swaps roles between two processes":
        "a, b = socket.socketpair()\nmine = b if os.fork() == 0 else a\n"
        "if mine is a: mine.send(b'x')\nwhile True:\n    mine.recv(1)\n    mine.send(b'x')",
    "swaps roles every 30 ms":
        "a, b = socket.socketpair()\nmine = b if os.fork() == 0 else a\n"
        "if mine is a: mine.send(b'x')\nwhile True:\n    mine.recv(1)\n    spin(0.03)\n    mine.send(b'x')",
    "fights for a lock":
        "lock = threading.Lock()\n"
        "def fight():\n    while True:\n        with lock: pass\n"
        "for _ in range(7): threading.Thread(target=fight, daemon=True).start()\nfight()",
    "faults in pages":
        "while True:\n    m = mmap.mmap(-1, 64 << 20)\n    for at in range(0, 64 << 20, 4096): m[at] = 1\n    m.close()",
    "writes to the disk":
        "f = open('x', 'wb')\nwhile True:\n    f.seek(0)\n    f.write(bytes(1 << 20))\n    f.flush()\n    os.fsync(f.fileno())",
    "turns its clocks":
        "try: time.clock_settime(time.CLOCK_REALTIME, 0)\nexcept OSError: pass\n"
        "try: libc.unshare(0x80)\nexcept OSError: pass\nspin()",
    "traces and stops its child":
        "me = os.fork()\nif me == 0: spin()\n"
        "while True:\n    os.kill(me, signal.SIGSTOP)\n    time.sleep(0.01)\n    os.kill(me, signal.SIGCONT)\n    time.sleep(0.01)",
}
