"""Measures how much of the kernel's memory one program can hold that no limit sees, in each way of running.

    sudo python3 benches/unseen [--binary target/release/runner] [KIND ...]

Each kind is a program that holds as much of one thing as the default limits let it, and says so. What the machine has
available less then, beyond what the runner counted for the program (`peak_memory_mb`), no limit has seen. Cgroups are hidden
from the runner, so that what is measured holds where there are none. To be run as root on a machine that does nothing else.
Prints a table in Markdown: megabytes, the median of three runs.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from kinds import KINDS, PRELUDE

ORDINARY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
WITHOUT_CGROUPS = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh"]
WAYS = {
    "namespaces, root": ([], "namespaces"),
    "namespaces, ordinary user": (ORDINARY, "namespaces"),
    "landlock, root": ([], "landlock"),
    "landlock, ordinary user": (ORDINARY, "landlock"),
}
MB = 1 << 20
RUNS = 3


def available_bytes() -> int:
    text = pathlib.Path("/proc/meminfo").read_text()
    fields = dict(line.split(":", 1) for line in text.splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def settled_bytes() -> float:
    """The median over half a second."""
    readings = []
    for _ in range(10):
        readings.append(available_bytes())
        time.sleep(0.05)
    return statistics.median(readings)


def measure(binary: str, way: str, program: str) -> tuple[float, str]:
    """What was held unseen, in bytes, and what the program said it holds."""
    prefix, tier = WAYS[way]
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        jobs = pathlib.Path(directory, "jobs.jsonl")
        # The pause lets the measurement begin when everything else is there.
        code = PRELUDE + "time.sleep(2)\n" + program + "\nsay()\ntime.sleep(3)"
        episode = {"id": "holds", "argv": ["python3", "-c", code], "timeout_s": 100}
        jobs.write_text(json.dumps(episode) + "\n")
        command = [*WITHOUT_CGROUPS, *prefix, binary, "--isolation", tier, "--concurrency", "1", "--jobs", str(jobs)]
        environment = {**os.environ, "TMPDIR": directory}
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=directory)
        time.sleep(1)
        before, lowest = settled_bytes(), float("inf")
        while run.poll() is None:
            lowest = min(lowest, available_bytes())
            time.sleep(0.02)
        result = json.loads(run.stdout.read())
    counted = result["peak_memory_mb"] * MB
    at_rest = 10 * MB
    return before - lowest - (counted - at_rest), f"{result['status']}: {result['output'].strip()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/runner")
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], default=[])
    chosen = parser.parse_args()
    binary = os.path.realpath(chosen.binary)
    print(f"| kind | {' | '.join(WAYS)} | held |\n|---|{'---|' * (len(WAYS) + 1)}")
    for kind in chosen.kinds or KINDS:
        cells, said = [], ""
        for way in WAYS:
            runs = [measure(binary, way, KINDS[kind]) for _ in range(RUNS)]
            cells.append(f"{max(0, statistics.median(unseen for unseen, _ in runs)) / MB:.0f}")
            said = runs[0][1]
        print(f"| {kind} | {' | '.join(cells)} | {said} |", flush=True)


main()
