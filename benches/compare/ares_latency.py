"""ARES's `DockerContainer` and `RolloutContainer` in the same scenario, in one run, with alternating turns.

`scripts/bench` starts it, with a Python that has the real ARES. Prints JSON: for each operation of the scenario how long
it took with either, and an episode of mini-swe-agent as a whole. Docker gets an image of this machine's own programs.
"""

import argparse
import asyncio
import importlib.metadata
import json
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests/ares"), str(REPOSITORY / "scripts/ares")]

import agents  # noqa: E402
import host_image  # noqa: E402
from ares.containers import docker  # noqa: E402
from runner_ares import Image, RolloutContainer, RolloutContainerFactory  # noqa: E402

# In the order of the table. Each is done so often in a turn.
COMMANDS = {
    "exec-true": ('`exec_run("true")`', "true", 20),
    "exec-files": (
        "`exec_run` that writes and reads files",
        "for i in 1 2 3 4 5; do echo $i > f$i; done; cat f* | wc -l",
        20,
    ),
    "exec-python": ('`exec_run("python3 -c pass")`', "python3 -c pass", 10),
}
TITLES = {
    "start": "`start`",
    **{key: title for key, (title, _, _) in COMMANDS.items()},
    "upload-file": "`upload_file`, 100 KB",
    "download-file": "`download_file`, 100 KB",
    "upload-dir": "`upload_dir`, 20 files",
    "stop": "`stop`",
    "episode": "an episode of mini-swe-agent, reset to reward",
    "many": '`exec_run("true")` in 16 containers at once, each',
}
TOGETHER = 16


class Times:
    """How long each operation took, in ms."""

    def __init__(self):
        self.of = {key: [] for key in TITLES}

    async def take(self, key, operation, times=1):
        began = time.perf_counter()
        await operation
        self.of[key].append(1000 * (time.perf_counter() - began) / times)

    def figures(self):
        return {key: summary(took) for key, took in self.of.items()}


def summary(took):
    ordered = sorted(took)
    return {
        "count": len(ordered),
        "p50_ms": statistics.median(ordered),
        "p99_ms": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
        "min_ms": ordered[0],
    }


async def turn(factory, image, directory, times):
    """The scenario once."""
    container = factory.from_image(image=image, default_workdir="/tmp")
    await times.take("start", container.start())
    for key, (_, command, repeat) in COMMANDS.items():
        for _ in range(repeat):
            await times.take(key, container.exec_run(command))
    await times.take("upload-file", container.upload_file(directory / "file", "/data/file"))
    await times.take("download-file", container.download_file("/data/file", directory / "back"))
    await times.take("upload-dir", container.upload_dir(directory / "tree", "/tree"))
    await times.take("stop", container.stop())


async def episode(factory, times):
    async with agents.environment("mswea", factory) as env:

        async def whole():
            reward, _ = await agents.episode(env, "mswea", agents.RIGHT)
            assert reward == 1.0, f"the reward was {reward}"

        await times.take("episode", whole())


async def together(factory, image, times):
    """Commands in several containers at one time: what one command takes of the machine."""
    containers = [factory.from_image(image=image, default_workdir="/tmp") for _ in range(TOGETHER)]
    await asyncio.gather(*(container.start() for container in containers))
    try:
        await times.take(
            "many",
            asyncio.gather(*(container.exec_run("true") for container in containers for _ in range(4))),
            4 * TOGETHER,
        )
    finally:
        await asyncio.gather(*(container.stop() for container in containers))


async def measure(rounds):
    image = host_image.make()
    # The same image for both, so that nothing is to be warned of.
    ours = RolloutContainerFactory(images={image: Image()})
    contestants = {"docker": (docker.DockerContainer, docker.DockerContainer), "runner": (ours, RolloutContainer)}
    times = {}
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as scratch:
        directory = Path(scratch)
        (directory / "file").write_bytes(bytes(100 << 10))
        (directory / "tree").mkdir()
        for number in range(20):
            (directory / "tree" / str(number)).write_bytes(bytes(1 << 10))
        # Number -1 warms up and is thrown away.
        for number in range(-1, rounds):
            for key in list(contestants) if number % 2 == 0 else list(contestants)[::-1]:
                factory, by_class = contestants[key]
                taken = times.setdefault(key, Times()) if number >= 0 else Times()
                await turn(factory, image, directory, taken)
                await episode(by_class, taken)
                await together(factory, image, taken)
    return {key: taken.figures() for key, taken in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="turns that both take (%(default)s)")
    asked = parser.parse_args()
    # An image that is a stand-in is warned of, and a task's one core.
    logging.disable(logging.WARNING)
    reason = host_image.why_no_docker()
    if reason:
        print(json.dumps({"skipped": reason}))
        return
    try:
        figures = asyncio.run(measure(asked.rounds))
    finally:
        host_image.remove()
    versions = {name: importlib.metadata.version(name) for name in ("martian-ares", "docker")}
    print(json.dumps({"rounds": asked.rounds, "versions": versions, "titles": TITLES, "took": figures}))


if __name__ == "__main__":
    main()
