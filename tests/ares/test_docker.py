"""ARES's own `DockerContainer` and ours agree on the same scenario. For where a Docker daemon is; DOCKER_HOST is honoured."""

import asyncio

import agents
import host_image
import pytest
from ares.containers import containers, docker
from runner_ares import RolloutContainer

pytestmark = pytest.mark.skipif(bool(reason := host_image.why_no_docker()), reason=str(reason))

COMMANDS = [
    "pwd",
    # Docker loses the order of the streams when they are written at once.
    "echo out; sleep 0.3; echo err >&2; sleep 0.3; echo out again",
    "exit 7",
    "kill -9 $$",
    "no-such-program",
    "cat /no/such/file",
    "cat < /dev/stdin; echo end of stdin",
    "printf 'ü\\xff\\x00\\r\\n'",
    "seq 300000",
    'echo "$OF_START|$OF_COMMAND|$HOSTNAME_OF_NOBODY"',
    "mkdir -p /logs/verifier /app/x; cd /app/x; echo 1 > f; cat /app/x/f; echo $?",
    "ls /tests; cat /tests/deep/file; /tests/run",
    "cd /; pwd; cd ~- 2>/dev/null; export A=1",
    'echo "[$A]"; pwd',
    "false | true; echo $?; false || exit 3",
    "echo 'unterminated",
    "sleep 1000 & echo begun",
    "ps -C sleep -o args=",
]
CLASSES = [docker.DockerContainer, RolloutContainer]


@pytest.fixture(scope="module", autouse=True)
def image():
    yield host_image.make()
    host_image.remove()


async def scenario(factory, image, directory):
    """What a user of the container sees."""
    (directory / "tests/deep").mkdir(parents=True, exist_ok=True)
    (directory / "tests/deep/file").write_bytes(bytes(range(256)))
    (directory / "tests/run").write_text("#!/bin/sh\necho it runs\n")
    (directory / "tests/run").chmod(0o755)
    container = factory.from_image(
        image=image, default_workdir="/app", resources=containers.Resources(cpu=1, memory=2, disk=1)
    )
    seen = []
    # Docker does not make the directory it is to start in.
    starter = {"workdir": "/"}
    await container.start(env={"OF_START": "1"})
    try:
        await container.exec_run("mkdir -p /app", **starter)
        await container.upload_dir(directory / "tests", "/tests")
        for command in COMMANDS:
            done = await container.exec_run(command, env={"OF_COMMAND": "a 'b' $c"})
            seen.append((command, done.exit_code, done.output))
        with pytest.raises(TimeoutError):
            await container.exec_run("sleep 1000", timeout_s=0.3)
        seen.append((await container.exec_run("echo after the timeout", workdir="/tmp", timeout_s=10)).output)
        back = directory / factory.__name__
        back.mkdir()
        await container.download_files(["/tests/deep/file", "/app/x/f"], [back / "deeper/file", back / "f"])
        seen.append([(back / name).read_bytes() for name in ("deeper/file", "f")])
    finally:
        await container.stop()
    return seen


async def test_commands_and_files_come_out_the_same(tmp_path, image):
    docker_saw, runner_saw = [await scenario(factory, image, tmp_path) for factory in CLASSES]
    for one, other in zip(docker_saw, runner_saw, strict=True):
        assert one == other


@pytest.mark.parametrize("agent", agents.SCRIPTS)
@pytest.mark.parametrize("expression, reward", [(agents.RIGHT, 1.0), (agents.WRONG, 0.0)])
async def test_agents_get_the_same_reward(agent, expression, reward):
    rewards = await asyncio.gather(*(agents.rollout(agent, expression, factory) for factory in CLASSES))
    assert [found for found, _ in rewards] == [reward, reward]
