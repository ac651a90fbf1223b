"""Uploads and downloads."""

import os
import random

import pytest
from ares.containers import containers
from runner_ares import errors, transfer


def written(path, data, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


ALL_BYTES = bytes(range(256)) * 5
LARGE = random.Random(1).randbytes(5_000_000)


async def test_files_come_back_byte_for_byte(open_container, tmp_path):
    async with open_container() as container:
        contents = {"bytes": ALL_BYTES, "large": LARGE, "empty": b"", "ü and space\n": b"name"}
        files = [written(tmp_path / "in" / name, data) for name, data in contents.items()]
        places = [f"/data/deep/{path.name}" for path in files]
        await container.upload_files(files, places)
        back = [tmp_path / "out" / path.name for path in files]
        await container.download_files(places, back)
        assert {path.name: path.read_bytes() for path in back} == contents


async def test_single_files_and_relative_places_are_those_of_the_working_directory(open_container, tmp_path):
    async with open_container(default_workdir="/app") as container:
        await container.upload_file(written(tmp_path / "a", b"1"), "a")
        assert (await container.exec_run("cat /app/a")).output == "1"
        await container.download_file("/app/a", tmp_path / "b")
        assert (tmp_path / "b").read_bytes() == b"1"


async def test_scripts_stay_executable_and_uploads_can_be_changed_and_replaced(open_container, tmp_path):
    async with open_container() as container:
        script = written(tmp_path / "run.sh", b"#!/bin/sh\necho ran\n", 0o755)
        await container.upload_file(script, "/tests/run.sh")
        assert (
            await container.exec_run("/tests/run.sh && echo 'echo more' >> /tests/run.sh && /tests/run.sh")
        ).output == ("ran\nran\nmore\n")
        await container.upload_file(written(script, b"new", 0o444), "/tests/run.sh")
        await container.upload_file(written(tmp_path / "newer", b"newer"), "/tests/run.sh")
        assert (await container.exec_run("cat /tests/run.sh")).output == "newer"


async def test_directories_come_back_as_they_went(open_container, tmp_path):
    tree = tmp_path / "tree"
    written(tree / "a/b/c.bin", ALL_BYTES)
    written(tree / "run", b"#!/bin/sh\n", 0o755)
    (tree / "empty").mkdir()
    async with open_container() as container:
        await container.upload_dir(tree, "/tests")
        await container.download_dir("/tests", tmp_path / "back")
    back = tmp_path / "back"
    found = sorted(path.relative_to(back).as_posix() for path in back.rglob("*"))
    assert found == ["a", "a/b", "a/b/c.bin", "empty", "run"]
    assert (back / "a/b/c.bin").read_bytes() == ALL_BYTES
    assert [os.access(back / name, os.X_OK) for name in ("run", "a/b/c.bin")] == [True, False]


async def test_directories_go_as_aress_own_helpers_send_them(open_container, tmp_path):
    """The helpers that ARES gives a container which has none of its own: paths are text there."""
    written(tmp_path / "tree/a/b", b"1")
    async with open_container() as container:
        await containers.Container.upload_dir(container, tmp_path / "tree", "/tests")
        await containers.Container.download_dir(container, "/tests", tmp_path / "back")
    assert (tmp_path / "back/a/b").read_bytes() == b"1"


async def test_links_inside_a_directory_stay_links_and_others_become_files(open_container, tmp_path):
    outside = written(tmp_path / "outside", b"outside")
    tree = tmp_path / "tree"
    written(tree / "file", b"inside")
    (tree / "inner").symlink_to("file")
    (tree / "outer").symlink_to(outside)
    (tree / "broken").symlink_to("nothing")
    async with open_container() as container:
        await container.upload_dir(tree, "/d")
        assert (
            await container.exec_run("readlink /d/inner /d/broken; cat /d/outer")
        ).output == "file\nnothing\noutside"


async def test_a_download_makes_no_links(open_container, tmp_path):
    async with open_container() as container:
        await container.exec_run("mkdir /d; cd /d; ln -s /etc/passwd link; ln -s / up; echo 1 > file; mkfifo pipe")
        await container.download_dir("/d", tmp_path / "back")
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["file"]


async def test_a_download_writes_through_no_link_that_is_where_it_goes(open_container, tmp_path):
    outside = tmp_path / "outside"
    kept = written(outside / "file", b"kept")
    outside.chmod(0o755)
    async with open_container() as container:
        await container.exec_run("mkdir -p /d/sub/deep; chmod 700 /d/sub; echo new | tee /d/file /d/sub/file /d/sub/deep/f")
        for place in ("sub", "sub/deep"):
            back = tmp_path / place.replace("/", "-")
            (back / place).parent.mkdir(parents=True, exist_ok=True)
            (back / place).symlink_to(outside)
            with pytest.raises(errors.RunnerError, match="is a link.*remove the link"):
                await container.download_dir("/d", back)
        # A link that has the name of a file is replaced.
        back = tmp_path / "back"
        back.mkdir()
        (back / "file").symlink_to(kept)
        await container.download_dir("/d", back)
        assert (back / "file").read_bytes() == b"new\n"
        assert not (back / "file").is_symlink()
        single = tmp_path / "single"
        single.symlink_to(kept)
        await container.download_file("/d/file", single)
        assert single.read_bytes() == b"new\n"
        # The directory itself may be a link of the caller's.
        (tmp_path / "real").mkdir()
        (tmp_path / "alias").symlink_to(tmp_path / "real")
        await container.download_dir("/d", tmp_path / "alias")
        assert (tmp_path / "real/sub/file").read_bytes() == b"new\n"
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert kept.read_bytes() == b"kept"
    assert outside.stat().st_mode & 0o777 == 0o755
    assert not list(tmp_path.rglob(".download-*"))


def test_a_link_that_is_sent_and_then_a_file_through_it_stay_below_the_target(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    writer = transfer._Writer("/d", tmp_path / "back", tree=True)
    writer.entry({"path": "", "kind": "directory"})
    writer.entry({"path": "link", "kind": "link", "target": str(outside)})
    writer.entry({"path": "link/file", "kind": "file"})
    writer.data(b"1")
    # Somebody puts a link in its way meanwhile.
    (tmp_path / "back/link").rename(tmp_path / "moved")
    (tmp_path / "back/link").symlink_to(outside)
    with pytest.raises(errors.LinkInTheWay):
        writer.entry({"path": "link/second", "kind": "file"})
    writer.abandon()
    for path in ("/etc/x", "../x", "a/../../x"):
        with pytest.raises(errors.RunnerError, match="outside"):
            writer.entry({"path": path, "kind": "file"})
    assert not list(outside.iterdir())


async def test_what_cannot_be_copied_is_said(open_container, tmp_path):
    async with open_container() as container:
        with pytest.raises(FileNotFoundError, match="/missing"):
            await container.download_file("/missing", tmp_path / "a")
        assert not (tmp_path / "a").exists()
        with pytest.raises(FileNotFoundError):
            await container.upload_file(tmp_path / "missing", "/a")
        await container.exec_run("mkdir -p /d/e; echo 1 > /f")
        with pytest.raises(IsADirectoryError, match="download_dir"):
            await container.download_file("/d", tmp_path / "d")
        with pytest.raises(NotADirectoryError, match="download_file"):
            await container.download_dir("/f", tmp_path / "f")
        with pytest.raises(IsADirectoryError):
            await container.upload_file(written(tmp_path / "a", b""), "/d/e")
        with pytest.raises(PermissionError):
            await container.upload_file(tmp_path / "a", "/usr/bin/a")
        with pytest.raises(ValueError, match="one for each"):
            await container.upload_files([tmp_path / "a"], [])
        # And the session is as it was.
        assert (await container.exec_run("echo goes on")).output == "goes on\n"


async def test_a_full_disk_is_said(open_container, tmp_path):
    async with open_container(resources=containers.Resources(memory=2, disk=1)) as container:
        # ARES counts in whole GiB: most of it is filled where that takes no time.
        await container.exec_run("head -c 1000M /dev/zero > filled")
        large = tmp_path / "large"
        with large.open("wb") as file:
            file.truncate(100 << 20)
        with pytest.raises(OSError):
            await container.upload_file(large, "/large")
        assert (await container.exec_run("echo goes on")).output == "goes on\n"
