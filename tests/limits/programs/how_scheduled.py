# Says the nice value, policy and real-time priority that it has, and then those of what it starts. They must be those
# of whoever started the runner.
import os

for _ in range(2):
    policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    print(os.nice(0), policy, os.sched_getparam(0).sched_priority, flush=True)
    if os.fork():
        os.wait()
        break
