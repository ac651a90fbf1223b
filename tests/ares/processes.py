"""Processes and descriptors that are there."""

import contextlib
import ctypes
import os
import time

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """From now on a process below this one whose parent dies becomes a child of this one."""
    assert ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def below(pid=None):
    """Names of the processes below one, dead ones that nobody waited for included."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                head, _, tail = stat.read().rpartition(")")
        except OSError:
            continue
        children.setdefault(int(tail.split()[1]), []).append((int(entry), head.partition("(")[2]))
    found, todo = [], [pid or os.getpid()]
    while todo:
        for child, name in children.get(todo.pop(), ()):
            found.append(name)
            todo.append(child)
    return sorted(found)


def gone_within(seconds):
    """Whether nothing is below this process any more, or will be soon."""
    until = time.monotonic() + seconds
    while below():
        # Orphans are ours now, and it is for us to wait for them.
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def descriptors(pid=None):
    return len(os.listdir(f"/proc/{pid or os.getpid()}/fd"))


def memory_mb(pid):
    """Its own resident memory."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024
