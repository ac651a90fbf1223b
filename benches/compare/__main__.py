"""The comparison: `scripts/bench` starts it, with a Python that has what it needs.

Throughput: closed loops at the same concurrency. Startup: one program at a time, from asking for it to its first
instruction, by the clock of the program. Both for everybody who can be had; who can't is named with the reason.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import machine
import picture
import special
import table
import works
from contestants import ALL, Failed, Setting
from rounds import compare

DAYTONA_PUBLISHED_MS = 90
PARTS = (
    ("saturated", special.saturated), ("offered", special.offered), ("hundred-thousand", special.many), ("ares", special.ares),
)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short turns and few of them, in under two minutes")
    parser.add_argument("--rounds", type=int, help="turns that everybody takes (5; quick: 2)")
    parser.add_argument("--seconds", type=float, help="length of a turn (3; quick: 0.3)")
    parser.add_argument("--concurrency", type=int, default=2 * os.cpu_count(), help="programs at a time (2 x cores)")
    parser.add_argument("--only", default="", metavar="PART", help="only works whose key contains this; see bench.json")
    parser.add_argument("--docker-image", default="debian:stable-slim", help="an image that is there (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("."), help="where bench.json, .md and .svg go")
    # Given by scripts/bench.
    parser.add_argument("--repository", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--target", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--driver", required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as scratch:
        # Sandboxes are run by whoever runs this; programs inside may be somebody else.
        os.chmod(scratch, 0o755)
        setting = Setting(
            asked.repository, Path(scratch), asked.driver,
            str(asked.target / "release/runner"), sys.executable, asked.docker_image,
        )
        contestants = [kind(setting) for kind in ALL]
        try:
            report = measure(asked, setting, contestants)
        finally:
            for contestant in contestants:
                contestant.end()
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / "bench.json").write_text(json.dumps(report, separators=(",", ":")) + "\n", encoding="utf-8")
    markdown = table.markdown(report)
    (asked.output / "bench.md").write_text(markdown, encoding="utf-8")
    picture.draw(report, asked.output / "bench.svg")
    print(markdown)


def measure(asked, setting, contestants):
    rounds = asked.rounds or (2 if asked.quick else 5)
    seconds = asked.seconds or (0.3 if asked.quick else 3.0)
    report = {
        "machine": machine.facts(setting),
        "method": {"rounds": rounds, "seconds_per_turn": seconds, "concurrency": asked.concurrency, "quick": asked.quick},
        "contestants": {c.key: present(c) for c in contestants},
        "throughput": {},
        "startup": {},
    }
    here = [c for c in contestants if "skipped" not in report["contestants"][c.key]]
    for contestant in contestants:
        if contestant not in here:
            say(f"{contestant.name}: skipped: {report['contestants'][contestant.key]['skipped']}")
    guest = works.build_guest(asked.repository, setting.scratch)
    for work in works.throughput(asked.repository, setting.scratch, guest, sys.executable, 10):
        if asked.only in work.key and not (asked.quick and work.key in works.LONG):
            say(work.title)
            cells = compare(here, work, rounds, asked.concurrency, seconds, asked.quick, say)
            report["throughput"][work.key] = {"title": work.title, "cells": cells}
    for work in works.startup(setting.scratch, guest):
        if asked.only in work.key:
            say(f"startup: {work.title}")
            report["startup"][work.key] = {"title": work.title, "cells": special.startup(here, work, asked.quick, say)}
    report["daytona"] = special.daytona(say) or {"published_not_measured_ms": DAYTONA_PUBLISHED_MS}
    for name, part in PARTS:
        if asked.only in name:
            say(name)
            report[name] = part(here, setting, guest, asked, report, say)
    return report


def present(contestant):
    reason = contestant.missing()
    if reason:
        return {"name": contestant.name, "skipped": reason}
    try:
        return {"name": contestant.name, "version": contestant.version()}
    except Failed as error:
        return {"name": contestant.name, "skipped": str(error)}


if __name__ == "__main__":
    main()
