"""What the figures were measured on."""

import json
import os
import platform
import subprocess
import time


def facts(setting):
    """Hardware, kernel, and what it enforces."""
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "unknown")
    with open("/proc/meminfo", encoding="utf-8") as meminfo:
        memory_kb = int(next(line.split()[1] for line in meminfo if line.startswith("MemTotal")))
    doctor = subprocess.run([setting.runner, "doctor", "--json"], capture_output=True, text=True, check=False)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gb": round(memory_kb / 2**20),
        "virtual": virtual(),
        "kernel": platform.release(),
        "user": "root" if os.geteuid() == 0 else "ordinary",
        "load_before": os.getloadavg()[0],
        "tier": json.loads(doctor.stdout).get("tier"),
        "commit": revision(setting.repository),
    }


def virtual():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        return " hypervisor " in cpuinfo.read().replace("\n", " ")


def revision(repository):
    def git(*arguments):
        return subprocess.run(["git", "-C", repository, *arguments], capture_output=True, text=True, check=False)

    changed = " with changes" if git("status", "--porcelain", "src", "Cargo.toml").stdout else ""
    return (git("rev-parse", "--short", "HEAD").stdout.strip() or "unknown") + changed
