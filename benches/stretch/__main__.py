"""Measures what `stretch` does: on a machine that does nothing else, and on one that is busy.

    python3 benches/stretch tricks      programs that try to earn time: none ends later than at 1.1 × its timeout
    python3 benches/stretch bar         500 programs, alone, many at a time, and beside 16 that only compute: no verdict swaps
    python3 benches/stretch humaneval   the canonical solutions of HumanEval, 32 × cores at a time beside 16 that only compute
        [--binary target/release/runner] [--runs 5]

Exit status 1 where something does not hold. `tricks` needs a machine that does nothing else; all of them take minutes.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import programs
from tricks import PRELUDE, TRICKS

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORDINARY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
WAYS = {
    "namespaces, root": ([], "namespaces"),
    "namespaces, ordinary user": (ORDINARY, "namespaces"),
    "landlock, root": ([], "landlock"),
    "landlock, ordinary user": (ORDINARY, "landlock"),
}
CORES = len(os.sched_getaffinity(0))
HOGS = 16


def run(binary, episodes, *flags, prefix=()):
    """The results by id."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        jobs = pathlib.Path(directory, "jobs.jsonl")
        jobs.write_text("".join(json.dumps(episode) + "\n" for episode in episodes))
        done = subprocess.run(
            [*prefix, binary, "--jobs", jobs, *map(str, flags)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
    results = map(json.loads, done.stdout.splitlines())
    return {result["id"]: result for result in results}


@contextlib.contextmanager
def hogs(count):
    """So many foreign processes of pure computing."""
    running = [subprocess.Popen(["sh", "-c", "while :; do :; done"], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for hog in running:
            hog.kill()
            hog.wait()


def tricks(arguments) -> bool:
    timeout_s = 2
    print(f"timeout_s {timeout_s}, stretch 2\n\n| program | " + " | ".join(WAYS) + " |\n|" + "---|" * (len(WAYS) + 1))
    holds = True
    for name, program in TRICKS.items():
        cells = []
        for prefix, tier in WAYS.values():
            episode = {"id": "trick", "argv": ["/usr/bin/python3", "-c", PRELUDE + program], "timeout_s": timeout_s}
            result = run(arguments.binary, [episode], "--isolation", tier, prefix=prefix)["trick"]
            fair = result["status"] == "timeout" and result["wall_ms"] <= timeout_s * 1100
            holds &= fair
            cells.append(f"{result['wall_ms'] / 1000:.2f} s" + ("" if fair else f" **{result['status']}**"))
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    return holds


def bar(arguments) -> bool:
    episodes, expected = programs.all_of(500)
    holds = True
    settings = [(times * CORES, 0) for times in (1, 8, 32)] + [(CORES, HOGS)]
    for concurrency, foreign in settings:
        for number in range(arguments.runs):
            with hogs(foreign):
                results = run(arguments.binary, episodes, "--concurrency", concurrency)
            got = collections.Counter((expected[id], result["status"]) for id, result in results.items())
            swapped = [id for id, result in results.items() if result["status"] not in (expected[id], "infra_error")]
            holds &= not swapped and len(results) == len(episodes)
            said = ", ".join(f"{was} → {status}: {count}" for (was, status), count in sorted(got.items()))
            print(f"{concurrency} at a time, {foreign} foreign, run {number + 1}: {said}", *swapped[:5], flush=True)
    return holds


def humaneval(arguments) -> bool:
    written = subprocess.run([ROOT / "scripts" / "humaneval"], stdout=subprocess.PIPE, check=True).stdout
    episodes = [json.loads(line) for line in written.splitlines()]
    for episode in episodes:
        episode["timeout_s"] = 3
    holds = True
    for flags, allowed in ((["--stretch", 10], {"ok"}), ([], {"ok", "infra_error"})):
        with hogs(HOGS):
            results = run(arguments.binary, episodes, "--concurrency", 32 * CORES, *flags)
        got = collections.Counter(result["status"] for result in results.values())
        holds &= set(got) <= allowed and len(results) == len(episodes)
        print(*flags, dict(got), flush=True)
    return holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tricks", "bar", "humaneval"])
    parser.add_argument("--binary", default=ROOT / "target" / "release" / "runner")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    measure = {"tricks": tricks, "bar": bar, "humaneval": humaneval}[arguments.what]
    return 0 if measure(arguments) else 1


sys.exit(main())
