"""One server for all containers of a process, which ends with it, however it ends."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import processes
import pytest
from conftest import FACTORY, started
from leaving import WAYS
from runner_ares import RunnerError, server

HERE = Path(__file__).parent


async def output_of(container, command):
    return (await container.exec_run(command)).output


def ours():
    """The shared server."""
    sock, shared = server.connect()
    sock.close()
    return shared


def leaving(way):
    """A process of `leaving.py`."""
    return subprocess.Popen([sys.executable, HERE / "leaving.py", way], stdout=subprocess.PIPE, text=True)


def private_directories():
    return list(Path(tempfile.gettempdir()).glob("runner-serve-*"))


async def test_all_containers_of_a_process_share_one_server():
    server.end_all()
    async with started() as one, started() as other:
        assert [await output_of(each, "echo here") for each in (one, other)] == ["here\n"] * 2
        servers = [name for name in processes.below() if name.startswith("runner")]
    assert len(servers) == 1
    assert private_directories() == []


def test_event_loops_and_threads_share_it_too():
    async def pid():
        async with started() as container:
            assert await output_of(container, "echo here") == "here\n"
            return ours().pid

    found = {asyncio.run(pid()), asyncio.run(pid())}
    threads = [threading.Thread(target=lambda: found.add(asyncio.run(pid()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {ours().pid}


async def test_when_the_server_dies_a_command_says_so_and_the_next_start_makes_another():
    async with started() as container:
        running = asyncio.create_task(container.exec_run("sleep 1000"))
        await asyncio.sleep(0.2)
        os.kill(ours().pid, signal.SIGKILL)
        with pytest.raises(RunnerError, match="the runner server ended .SIGKILL.*and all containers with it"):
            await running
        with pytest.raises(RunnerError, match="the next `start` starts another server"):
            await container.exec_run("true")
        await container.stop()
        await container.start()
        assert await output_of(container, "echo again") == "again\n"


async def test_stop_and_remove_ends_a_container_at_once_while_its_loop_runs():
    async with started() as container, started() as other:
        before = processes.below().count("sleep")
        running = asyncio.create_task(container.exec_run("sleep 1000"))
        await asyncio.sleep(0.3)
        assert processes.below().count("sleep") == before + 1
        await asyncio.to_thread(container.stop_and_remove)
        assert processes.below().count("sleep") == before
        with pytest.raises(RunnerError, match="was stopped"):
            await running
        container.stop_and_remove()
        assert await output_of(other, "echo here") == "here\n"


def test_stop_and_remove_needs_no_loop():
    container = FACTORY.from_image(image="none")

    async def start():
        await container.start()
        await container.exec_run("sleep 1000 &")

    before = processes.below().count("sleep"), processes.descriptors()
    asyncio.run(start())
    container.stop_and_remove()
    with pytest.warns(ResourceWarning, match="unclosed transport"):
        # asyncio's, for a loop that was closed with a connection open.
        del container
        gc.collect()
    assert (processes.below().count("sleep"), processes.descriptors()) == before


# Those that leave Python no time to clean up.
SUDDEN = {"without any clean-up": 7, "by SIGKILL": -signal.SIGKILL, "by SIGTERM": -signal.SIGTERM}


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"by Ctrl-C"}))
def test_nothing_outlives_a_process_that_ends(way):
    server.end_all()
    process = leaving(way)
    process.communicate(timeout=300)
    assert process.returncode == SUDDEN.get(way, 1 if way == "with an exception" else 0)
    # Python's own clean-up waits for the server. Where there is none, the server sees the end of its stdin.
    assert processes.gone_within(30 if way in SUDDEN else 0.1)
    assert private_directories() == []


def test_ctrl_c_is_for_the_program_and_not_for_the_server():
    server.end_all()
    process = leaving("by Ctrl-C")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=300)[0] == "in order\n"
    assert processes.gone_within(0.1)


async def test_a_fork_has_a_server_of_its_own_and_leaves_ours_alone():
    async with started() as container:
        child = os.fork()
        if child == 0:
            # An event loop can't be used in a fork: another thread has none yet.
            code = []
            thread = threading.Thread(target=lambda: code.append(in_fork(container)))
            thread.start()
            thread.join()
            server.end_all()
            os._exit(code[0] if code else 1)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert await output_of(container, "echo here") == "here\n"


def in_fork(container):
    container.stop_and_remove()

    async def run():
        async with started() as own:
            return await output_of(own, "echo here")

    return 0 if asyncio.run(run()) == "here\n" else 2


async def test_without_a_binary_the_error_names_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(server, "_servers", {})
    monkeypatch.setenv("RUNNER_BIN", str(tmp_path / "runner"))
    with pytest.raises(RunnerError, match="RUNNER_BIN is .*correct or unset it"):
        await FACTORY.from_image(image="none").start()
    monkeypatch.delenv("RUNNER_BIN")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("runner_ares.binary._BUILT", tmp_path / "runner")
    with pytest.raises(RunnerError, match="cargo build --release"):
        await FACTORY.from_image(image="none").start()


async def test_a_server_that_does_not_start_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(server, "_servers", {})
    monkeypatch.setenv("RUNNER_BIN", "false")
    with pytest.raises(RunnerError, match="did not start: exit status 1.*runner doctor"):
        await FACTORY.from_image(image="none").start()


async def test_a_server_that_is_there_can_be_used(monkeypatch, tmp_path):
    path = tmp_path / "socket"
    process = await asyncio.create_subprocess_exec(os.environ["RUNNER_BIN"], "serve", "--socket", path)
    while not path.exists():
        await asyncio.sleep(0.05)
    monkeypatch.setenv("RUNNER_SOCKET", str(path))
    async with started() as container:
        assert await output_of(container, "echo here") == "here\n"
    process.terminate()
    assert await process.wait() == 0
    with pytest.raises(RunnerError, match="no runner listens at .*runner serve --socket"):
        await FACTORY.from_image(image="none").start()


def test_the_client_alone_does_not_import_ares():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, runner_ares; print([m for m in sys.modules if m.partition('.')[0] == 'ares'])",
        ],
        env=os.environ | {"PYTHONPATH": str(HERE.parents[1] / "scripts/ares")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "[]\n"
