"""Where there are no namespaces there is no root of one's own, and that is said."""

import logging

import pytest
from conftest import started
from runner_ares import RolloutContainerFactory, RunnerError
from runner_ares.container import warn_once

LANDLOCK = RolloutContainerFactory(serve=("--isolation", "landlock"))


async def test_relative_paths_and_home_work(tmp_path):
    (tmp_path / "file").write_text("here\n")
    async with started(LANDLOCK) as container:
        await container.upload_file(tmp_path / "file", "deep/file")
        assert (await container.exec_run("cat deep/file; cp deep/file ~/file; echo $?")).output == "here\n0\n"
        await container.download_file("deep/file", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "here\n"


async def test_absolute_paths_as_in_a_container_are_refused_with_an_explanation(tmp_path, caplog):
    warn_once.cache_clear()
    caplog.set_level(logging.WARNING)
    (tmp_path / "file").write_text("here\n")
    async with started(LANDLOCK) as container:
        assert "runner doctor" in caplog.text
        with pytest.raises(PermissionError, match="/tests/file.*landlock.*runner doctor"):
            await container.upload_file(tmp_path / "file", "/tests/file")
        with pytest.raises(PermissionError, match="/tests.*landlock"):
            await container.upload_dir(tmp_path, "/tests")
    async with started(LANDLOCK, default_workdir="/app") as container:
        with pytest.raises(RunnerError, match="/app.*namespaces"):
            await container.exec_run("pwd")
