"""The method: a warm-up that is thrown away, then rounds in which everybody takes a turn."""

import os
import statistics
import threading
import time

from contestants import Failed


# How often a turn's length is tried before it counts.
TRIES = 3


class Watch:
    """Processes and memory of a tree, looked at ten times a second: during warm-up only, where it disturbs no clock."""

    PAUSE_S = 0.1

    def __init__(self):
        self.processes, self.memory_mb, self.pid = 0, 0.0, None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __call__(self, pid):
        self.pid = pid
        self.thread.start()

    def end(self):
        self.done.set()
        if self.pid is not None:
            self.thread.join()

    def _look(self):
        while not self.done.wait(self.PAUSE_S):
            tree = descendants(self.pid)
            self.processes = max(self.processes, len(tree))
            self.memory_mb = max(self.memory_mb, sum(map(proportional_mb, tree)))


def descendants(pid):
    """The process and everything below it."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            # It has ended meanwhile.
            continue
        children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo.extend(children.get(found[-1], ()))
    return found


def proportional_mb(pid):
    """Its share of the memory it uses; 0 where that can't be read."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as rollup:
            return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1024
    except (OSError, StopIteration):
        return 0.0


def forks():
    """Processes that this machine has made since boot."""
    with open("/proc/stat", encoding="utf-8") as stat:
        return next(int(line.split()[1]) for line in stat if line.startswith("processes "))


class Cell:
    """One contestant at one work."""

    def __init__(self, contestant, work, quick):
        self.contestant, self.work, self.quick = contestant, work, quick
        self.count, self.rates, self.reports = 0, [], []
        self.skipped = contestant.refuses(work) or (contestant.waits(work) if quick else None)
        self.processes, self.memory_mb, self.forks = None, None, None

    def warm_up(self, concurrency, seconds):
        """Finds how many programs fill a turn; what it takes from the machine."""
        if self.skipped:
            return
        seconds = max(seconds, self.contestant.least_s)
        watch = None
        try:
            self.count = 2 * concurrency
            # Whoever has to set something up first looks slow at first.
            for _ in range(TRIES):
                watch, before = Watch(), forks()
                report = self.contestant.measure(self.work, self.count, concurrency, watch)
                watch.end()
                self.forks = (forks() - before) / self.count
                if self.count / report["rate"] > 0.7 * seconds:
                    break
                pace = report.get("stats", {}).get("episodes_per_s", report["rate"])
                self.count = max(int(pace * seconds), 2 * concurrency)
        except Failed as error:
            self.skipped = str(error)
            watch.end()
        # Too short to be seen is not none.
        self.processes, self.memory_mb = watch.processes or None, round(watch.memory_mb, 1) or None

    def turn(self, concurrency):
        if self.skipped:
            return
        try:
            report = self.contestant.measure(self.work, self.count, concurrency)
        except Failed as error:
            self.skipped = str(error)
            return
        self.rates.append(report["rate"])
        self.reports.append(report)

    def figures(self, bare):
        """What is written down; ratios are taken pair by pair, within a round."""
        if self.skipped:
            return {"skipped": self.skipped}
        ratios = [ours / theirs for ours, theirs in zip(self.rates, bare.rates)]
        return {
            "command": self.contestant.shown(self.work),
            "programs_per_turn": self.count,
            "per_s": self.rates,
            "per_s_median": statistics.median(self.rates),
            "of_bare": ratios,
            "of_bare_median": statistics.median(ratios) if ratios else None,
            "processes_peak": self.processes,
            "processes_made_per_program": self.forks,
            "memory_peak_mb": self.memory_mb,
        }


def compare(contestants, work, rounds, concurrency, seconds, quick, say):
    """All turns of one work."""
    cells = [Cell(contestant, work, quick) for contestant in contestants]
    for cell in cells:
        cell.warm_up(concurrency, seconds)
    for number in range(rounds):
        # Whoever came first comes last the next time.
        for cell in cells if number % 2 == 0 else cells[::-1]:
            cell.turn(concurrency)
            time.sleep(0.05)
    for cell in cells:
        rate = f"{statistics.median(cell.rates):9.1f}/s" if not cell.skipped else f"skipped: {cell.skipped}"
        say(f"  {cell.contestant.name:32} {rate}")
    bare = next(cell for cell in cells if cell.contestant.key == "bare")
    return {cell.contestant.key: cell.figures(bare) for cell in cells}
