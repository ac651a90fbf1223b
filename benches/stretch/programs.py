"""Programs with a verdict that the load of the machine must not change."""

import random

TIMEOUT_S = 1.0

# Computes for so many seconds of CPU time, whatever the machine does meanwhile.
COMPUTE = """
import os, sys, threading, time
def compute(seconds, clock=time.process_time):
    end = clock() + seconds
    while clock() < end: pass
"""

KINDS = {
    "computes": ("ok", "compute({part})"),
    "never ends": ("timeout", "compute(1e9)"),
    "sleeps too long": ("timeout", "time.sleep(1e6)"),
    "sleeps for a while": ("ok", "time.sleep({part})"),
    "computes in threads":
        ("ok", "threads = [threading.Thread(target=compute, args=({part} / 4, time.thread_time)) for _ in range(4)]\n"
               "for thread in threads: thread.start()\nfor thread in threads: thread.join()"),
    "computes in children": ("ok", "for _ in range(5):\n    if os.fork() == 0:\n        compute({part} / 5)\n        os._exit(0)\n    os.wait()"),
    "children never end": ("timeout", "if os.fork() == 0: compute(1e9)\nos.wait()"),
    "stays below its CPU limit": ("ok", "compute(0.35)"),
    "goes beyond its CPU limit": ("cpu_limit", "compute(0.65)"),
}


def all_of(count):
    """So many episodes, and the status that each has to have."""
    chance = random.Random(1)
    episodes, expected = [], {}
    for number in range(count):
        kind, (status, program) = list(KINDS.items())[number % len(KINDS)]
        part = chance.uniform(0.5, 0.8) * TIMEOUT_S
        episode = {
            "id": f"{number} {kind}",
            "argv": ["/usr/bin/python3", "-c", COMPUTE + program.replace("{part}", f"{part:.3f}")],
            "timeout_s": TIMEOUT_S,
        }
        if "CPU limit" in kind:
            episode["resources"] = {"cpu_time_s": 0.5}
        episodes.append(episode)
        expected[episode["id"]] = status
    return episodes, expected
