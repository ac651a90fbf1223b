"""What becomes of an image, a Dockerfile and `Resources`: it applies, or it is said."""

import logging

import pytest
from ares.containers import containers
from conftest import started
from runner_ares import Image, RolloutContainer, RolloutContainerFactory, RunnerError
from runner_ares.container import warn_once
from runner_ares.image import from_dockerfile


@pytest.fixture
def warnings(caplog):
    """What was warned of; each is said once in a process."""
    warn_once.cache_clear()
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("runner_ares")]


async def output_of(factory, command, **given):
    container = factory.from_image(**given) if "image" in given else factory.from_dockerfile(**given)
    await container.start()
    try:
        return (await container.exec_run(command)).output
    finally:
        await container.stop()


async def test_an_image_is_warned_of_once(warnings):
    for _ in range(2):
        assert await output_of(RolloutContainer, "pwd", image="python:3.12") == "/workspace\n"
    (said,) = warnings()
    assert "'python:3.12' is not used" in said
    assert "RolloutContainerFactory(images={'python:3.12'" in said


async def test_an_image_can_be_given_a_stand_in(warnings, tmp_path):
    (tmp_path / "file").write_text("from here\n")
    stand_in = Image(workdir="/testbed", env={"A": "1"}, files=[(tmp_path, "/data")], setup=["echo set up > log"])
    factory = RolloutContainerFactory(images={"swebench/*": stand_in})
    said = await output_of(factory, "pwd; echo $A; cat /data/file log", image="swebench/one:latest")
    assert said == "/testbed\n1\nfrom here\nset up\n"
    assert warnings() == []


async def test_a_setup_that_fails_is_said_and_leaves_no_container():
    factory = RolloutContainerFactory(images={"*": Image(setup=["echo no; exit 3"])})
    container = factory.from_image(image="any")
    with pytest.raises(RunnerError, match="setup of any: echo no; exit 3: no"):
        await container.start()
    with pytest.raises(RuntimeError, match="is not started"):
        await container.exec_run("true")


async def test_workdir_env_and_copies_of_a_dockerfile_apply_and_the_rest_is_warned_of(warnings, tmp_path):
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        "FROM python:3.12 AS build\nWORKDIR /build\nCOPY lost /\n"
        '# what counts\nFROM ubuntu:24.04\nARG DIR=app\nENV A=1 B="two $DIR"\nENV OLD the rest\nWORKDIR /$DIR\n'
        "RUN apt-get update && \\\n    apt-get install -y tmux\nWORKDIR src\n"
        'COPY one.txt two.txt ./\nCOPY tree /tree\nCOPY one.txt /renamed\nCOPY --from=build /x /x\nCMD ["bash"]\n'
    )
    for name in ("one.txt", "two.txt", "tree/deep/three.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name + "\n")
    said = await output_of(
        RolloutContainer, "pwd; echo $A $B $OLD; cat *.txt /tree/deep/three.txt /renamed", dockerfile_path=dockerfile
    )
    assert said == "/app/src\n1 two app the rest\none.txt\ntwo.txt\ntree/deep/three.txt\none.txt\n"
    (warned,) = warnings()
    assert (
        "Without effect: FROM ubuntu:24.04; RUN apt-get update &&      apt-get install -y tmux; COPY --from=build"
        in warned
    )


def test_a_dockerfile_that_needs_nothing_has_nothing_to_warn_of(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nWORKDIR /app\nENTRYPOINT x\n")
    assert from_dockerfile(tmp_path / "Dockerfile") == Image(workdir="/app", env={}, files=[], ignored=[])


async def test_what_is_asked_of_a_container_overrides_its_image():
    factory = RolloutContainerFactory(images={"any": Image(workdir="/one", env={"A": "1", "B": "1"})})
    async with started(factory, env={"B": "2"}, image="any", default_workdir="/two") as container:
        assert (await container.exec_run("pwd; echo $A $B")).output == "/two\n1 2\n"


async def test_neither_image_nor_dockerfile_is_an_error_as_in_ares():
    with pytest.raises(ValueError, match="image or dockerfile_path"):
        await RolloutContainer().start()


async def test_a_gpu_is_refused_and_cores_are_warned_of(warnings):
    with pytest.raises(ValueError, match="has none"):
        await RolloutContainer(image="any", resources=containers.Resources(gpu=1)).start()
    async with started(resources=containers.Resources(cpu=4)):
        assert any("Resources.cpu is not enforced" in said for said in warnings())


async def test_a_loopback_network_is_there_when_it_is_asked_for():
    serve = "python3 -m http.server --bind 127.0.0.1 8000 >/dev/null 2>&1 & sleep 1;"
    ask = "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8000\").status)'"
    async with started(RolloutContainerFactory(network="loopback")) as container:
        assert (await container.exec_run(serve + ask)).output == "200\n"
