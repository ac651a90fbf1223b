# Tries every way to take time from init, from all processes of its user and of its group, and then from itself. The
# next episode must be scheduled as ever.
import os

for do in (
    lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)),
    lambda: os.sched_setaffinity(1, [0]),
    lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
    lambda: os.setpriority(os.PRIO_USER, 0, 19),
    lambda: os.setpriority(os.PRIO_PGRP, 0, 19),
    lambda: os.nice(19),
):
    try:
        do()
    except OSError:
        pass
