"""What is not a rate in a closed loop: startup one at a time, startup under saturation, an offered rate, 100,000."""

import json
import os
import statistics
import time

import works
from contestants import HERE, Failed, Runner, output_of

HUNDRED_THOUSAND = 100_000
# Contestants that take longer than this a program get fewer.
SLOW_MS = 40


def startup(contestants, work, quick, say):
    """Time from asking to the first instruction, one program at a time."""
    cells = {}
    for contestant in contestants:
        reason = contestant.refuses(work)
        try:
            cells[contestant.key] = {"skipped": reason} if reason else one_by_one(contestant, work, quick)
        except Failed as error:
            cells[contestant.key] = {"skipped": str(error)}
        cell = cells[contestant.key]
        say(f"  {contestant.name:32} " + (cell.get("skipped") or f"p50 {cell['startup']['p50_ms']:.2f} ms"))
    return cells


def one_by_one(contestant, work, quick):
    if isinstance(contestant, Runner):
        report = contestant.talk(work, 100 if quick else 1000)
    else:
        few = contestant.measure(work, 3, 1)
        slow = few["latency"]["p50_ms"] > SLOW_MS
        count = (5 if slow else 50) if quick else (40 if slow else 1000 if few["latency"]["p50_ms"] < 8 else 300)
        report = contestant.measure(work, count, 1)
    return {"startup": report["startup"], "round_trip": report["latency"]}


def saturated(contestants, setting, guest, asked, _report, say):
    """Programs that only compute, 32 x cores at a time: does the next still start at once?"""
    work = works.saturation(setting.scratch, guest)
    concurrency = 32 * os.cpu_count()
    # On one core a program takes some 0.2 s.
    count = max(int((0 if asked.quick else 30) * os.cpu_count() / 0.2), concurrency)
    cells = {"title": work.title, "concurrency": concurrency, "programs": count}
    for contestant in contestants:
        if contestant.key not in ("bare", "cold"):
            continue
        report = contestant.measure(work, count, concurrency)
        stats = report.get("stats")
        cells[contestant.key] = {
            "per_s": report["rate"],
            "startup": stats["startup_ms"] if stats else report["startup"],
        }
        shown = cells[contestant.key]["startup"]
        p50, p99 = (shown.get(f"{p}_ms", shown.get(p)) for p in ("p50", "p99"))
        say(f"  {contestant.name:32} startup p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    return cells


def offered(contestants, setting, _guest, asked, _report, say):
    """`bash -lc true` at half of the rate that the bare loop reaches: from when each was due to its result."""
    work = works.simple("offered", "", ["bash", "-lc", "true"], setting.scratch)
    bare = next(c for c in contestants if c.key == "bare")
    rate = round(0.5 * bare.measure(work, 400, asked.concurrency)["rate"])
    count = rate * (1 if asked.quick else 15)
    cells = {"title": "`bash -lc true`", "offered_per_s": rate, "programs": count}
    for contestant in contestants:
        if contestant.key == "bare":
            command = contestant.driver("offered", work, count, 16 * asked.concurrency, "--rate", str(rate))
        elif isinstance(contestant, Runner):
            command = [
                setting.driver, "offered", "--runner", "--rate", str(rate), "--list", work.list_of("episodes", count), "--",
                setting.runner, "--jobs", "-", "--concurrency", str(asked.concurrency), *contestant.options(work),
            ]
        else:
            continue
        report = json.loads(output_of(command))
        cells[contestant.key] = report["latency"]
        say(f"  {contestant.name:32} p50 {report['latency']['p50_ms']:.2f} ms, p99 {report['latency']['p99_ms']:.2f} ms")
    return cells


def many(contestants, setting, _guest, asked, report, say):
    """100,000 x `true`: measured where that takes minutes, computed from the rate elsewhere."""
    work = works.simple("hundred-thousand", "", ["/usr/bin/true"], setting.scratch)
    rates = report["throughput"].get("true", {}).get("cells", {})
    cells = {}
    for contestant in contestants:
        if contestant.key in ("bare", "cold") and not asked.quick:
            took = contestant.measure(work, HUNDRED_THOUSAND, asked.concurrency)
            cells[contestant.key] = {"wall_s": HUNDRED_THOUSAND / took["rate"], "measured": True}
            if "stats" in took:
                cells[contestant.key]["stats"] = took["stats"]
        elif rates.get(contestant.key, {}).get("per_s"):
            rate = statistics.median(rates[contestant.key]["per_s"])
            cells[contestant.key] = {"wall_s": HUNDRED_THOUSAND / rate, "measured": False}
        if contestant.key in cells:
            say(f"  {contestant.name:32} {cells[contestant.key]['wall_s']:,.0f} s")
    return cells


def ares(_contestants, setting, _guest, asked, _report, say):
    """A real user of sessions: ARES's own containers and ours, in the same scenario."""
    if asked.quick:
        return {"skipped": "--quick"}
    try:
        made = output_of([str(setting.repository / "scripts/ares-env"), str(asked.target / "tmp/ares-python")])
        python = made.strip().splitlines()[-1]
        environment = {**os.environ, "RUNNER_BIN": setting.runner}
        command = [python, str(HERE / "ares_latency.py"), "--rounds", str(asked.rounds or 5)]
        cells = json.loads(output_of(command, env=environment))
    except Failed as error:
        cells = {"skipped": str(error)}
    if "skipped" in cells:
        say(f"  skipped: {cells['skipped']}")
    for key, title in cells.get("titles", {}).items():
        p50 = {name: took[key]["p50_ms"] for name, took in cells["took"].items()}
        say(f"  {title:56} Docker {p50['docker']:9.2f} ms, runner {p50['runner']:7.2f} ms")
    return cells


def daytona(say):
    """Commands in one running Daytona sandbox, where there is a key and its client (`pip install daytona`)."""
    if not os.environ.get("DAYTONA_API_KEY"):
        return None
    try:
        from daytona import Daytona
    except ImportError as error:
        say(f"Daytona: skipped: {error}")
        return None
    client = Daytona()
    began = time.perf_counter()
    sandbox = client.create()
    created = time.perf_counter() - began
    try:
        took = []
        for _ in range(20):
            began = time.perf_counter()
            sandbox.process.exec("true")
            took.append(1000 * (time.perf_counter() - began))
    finally:
        client.delete(sandbox)
    return {"create_ms": 1000 * created, "exec_p50_ms": statistics.median(took)}
