# What programs of these tests begin with: lowest() makes the process get a core only where nobody else wants it.
import ctypes, mmap, os, time

def lowest():
    policy = os.SCHED_IDLE | os.sched_getscheduler(0) & os.SCHED_RESET_ON_FORK
    os.sched_setscheduler(0, policy, os.sched_param(0))
