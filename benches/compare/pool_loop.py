"""Programs by `subprocess.run` on a thread pool, or by sandlock in as many processes: what people write in Python.

  pool_loop.py subprocess|sandlock LIST COUNT CONCURRENCY READABLE…

Prints JSON: count, wall_s, and in nanoseconds the latencies and, of programs that print when they began, startups.
Starting Python and importing are not timed.
"""

import json
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

# The policy of sandlock's own README.
SANDLOCK_READABLE = ["/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/dev"]
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",
}
sandlock_readable = SANDLOCK_READABLE + sys.argv[5:]


def stamp_ns(output):
    """When a program says that it began; None for one that does not."""
    first = output.split(maxsplit=1)[0].decode() if output.split() else ""
    if "." in first:
        seconds, micros = first.split(".")
        return int(seconds) * 10**9 + int(micros) * 1000
    return int(first) if first.isdigit() and len(first) > 15 else None


def by_subprocess(argv):
    asked = time.time_ns()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=ENVIRONMENT)
    latency = time.time_ns() - asked
    if done.returncode != 0:
        raise RuntimeError(f"{argv}: {done.returncode}: {done.stderr.decode()[-200:]}")
    return asked, latency, stamp_ns(done.stdout)


def by_sandlock(argv):
    from sandlock import Sandbox

    asked = time.time_ns()
    sandbox = Sandbox(fs_readable=sandlock_readable, fs_writable=["/tmp"], clean_env=True, env=ENVIRONMENT)
    done = sandbox.run(argv, timeout=60)
    latency = time.time_ns() - asked
    if not done.success:
        raise RuntimeError(f"{argv}: {done.exit_code}: {(done.stderr or b'').decode()[-200:]}")
    return asked, latency, stamp_ns(done.stdout)


def main():
    way, path, count, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with open(path, encoding="utf-8") as lines:
        programs = [json.loads(line) for line in lines][:count]
    one, executor = {
        "subprocess": (by_subprocess, ThreadPoolExecutor),
        # One process of its own for each that runs at a time is what sandlock is fastest with.
        "sandlock": (by_sandlock, ProcessPoolExecutor),
    }[way]
    with executor(concurrency) as pool:
        # Workers start, and import, before the clock does.
        list(pool.map(one, programs[:concurrency]))
        began = time.perf_counter()
        done = list(pool.map(one, programs))
        wall = time.perf_counter() - began
    startups = [began_ns - asked for asked, _, began_ns in done if began_ns is not None]
    print(json.dumps({"count": count, "wall_s": wall, "latencies": [took for _, took, _ in done], "startups": startups}))


if __name__ == "__main__":
    main()
