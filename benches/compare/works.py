"""What the contestants have to run."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

PYTHON = "/usr/bin/python3"
FILES = 20_000
# Works that take too long for a quick look.
LONG = {"imports", "bash-files"}
BASH_FILES = (
    "mkdir -p /tmp/d$$ && cd /tmp/d$$ && for i in 1 2 3 4 5 6 7 8 9 10; do echo $i > f$i; done "
    "&& cat f* > all && grep -c . all && rm -r /tmp/d$$"
)


@dataclass
class Work:
    """Programs, as arguments and as episodes: the n-th of each is the same work."""

    key: str
    title: str
    programs: list
    episodes: list
    # Host directory that sandboxes have to show, read-only.
    needs: str | None = None
    # What `--warm` has to name for warm interpreters to matter; None: the default.
    warm: str | None = None
    # Whether each prints when it began.
    stamped: bool = False
    where: Path = field(default=Path("."), repr=False)

    def list_of(self, kind, count):
        """A file with so many lines, repeated from the beginning where there are not enough."""
        path = self.where / f"{self.key}-{kind}-{count}.jsonl"
        if not path.exists():
            items = self.programs if kind == "programs" else self.episodes
            lines = [json.dumps(item) + "\n" for item in items]
            with open(path, "w", encoding="utf-8") as file:
                for start in range(0, count, len(lines)):
                    file.writelines(lines[: count - start])
        return str(path)


def simple(key, title, argv, where, **others):
    shell = argv[:2] == ["bash", "-lc"]
    episode = {"command": argv[2]} if shell else {"argv": argv}
    return Work(key, title, [argv], [episode], where=where, **others)


def build_guest(repository, scratch):
    """The static program of `benches/driver/guest.rs`."""
    guest = scratch / "guest"
    options = "-O --edition 2024 -C target-feature=+crt-static -C panic=abort -C strip=symbols".split()
    source = repository / "benches/driver/guest.rs"
    subprocess.run(["rustc", *options, source, "-o", guest], check=True)
    return str(guest)


def humaneval(repository, scratch, repeat):
    """The canonical programs as files, and as episodes that bring them along."""
    printed = subprocess.run(
        [repository / "scripts/humaneval", "--repeat", "1"], check=True, capture_output=True, text=True
    ).stdout
    episodes = [json.loads(line) for line in printed.splitlines()]
    directory = scratch / "humaneval"
    directory.mkdir()
    programs = []
    for number, episode in enumerate(episodes):
        path = directory / f"{number}.py"
        path.write_text(episode["files"]["solution.py"], encoding="utf-8")
        programs.append([PYTHON, str(path)])
        del episode["id"]
    return Work("humaneval", f"HumanEval × {repeat}", programs, episodes, needs=str(directory), where=scratch)


def throughput(repository, scratch, guest, python, repeat):
    """The rows of the table of rates."""
    many = scratch / "files"
    many.mkdir()
    for number in range(FILES):
        os.close(os.open(many / f"{number}", os.O_CREAT | os.O_WRONLY, 0o644))
    here = str(scratch)
    numpy = [python, "-c", "import numpy, pandas"]
    return [
        simple("true", "`true`", ["/usr/bin/true"], scratch),
        simple("bash-true", "`bash -lc true`", ["bash", "-lc", "true"], scratch),
        simple("bash-files", "`bash -lc` that writes and reads files", ["bash", "-lc", BASH_FILES], scratch),
        simple("python-pass", "`python3 -c pass`", [PYTHON, "-c", "pass"], scratch),
        humaneval(repository, scratch, repeat),
        simple(
            "imports", "`python3 -c 'import numpy, pandas'`", numpy, scratch,
            needs=str(Path(python).parent.parent), warm=f"bash,python={python}:numpy,pandas",
        ),
        simple("files", f"stat and open {FILES:,} files", [guest, "files", str(many)], scratch, needs=here),
    ]


def startup(scratch, guest):
    """Programs that say when they began."""
    now = "import time; print(time.time_ns())"
    return [
        simple("start-exec", "a static program", [guest], scratch, needs=str(scratch), stamped=True),
        simple("start-bash", "`bash -lc`", ["bash", "-lc", "echo $EPOCHREALTIME"], scratch, stamped=True),
        simple("start-python", "`python3 -c`", [PYTHON, "-c", now], scratch, stamped=True),
    ]


def saturation(scratch, guest):
    """Programs of some 0.2 s that only compute."""
    argv = [guest, "burn", "200"]
    return simple("saturated", "200 ms of computing", argv, scratch, needs=str(scratch), stamped=True)
