"""`exec_run` as ARES documents it."""

import asyncio
import time

import pytest
from ares.containers import containers


async def test_output_is_what_both_streams_printed_in_order(open_container):
    async with open_container() as container:
        done = await container.exec_run("echo one; echo two >&2; echo three; printf 'ü\\xff'")
        assert done == containers.ExecResult(output="one\ntwo\nthree\nü\ufffd", exit_code=0)


async def test_exit_codes_are_those_a_shell_gives(open_container):
    async with open_container() as container:
        for command, code in {
            "true": 0,
            "exit 7": 7,
            "no-such-program": 127,
            "kill -9 $$": 137,
            "kill -TERM $$": 143,
        }.items():
            assert (await container.exec_run(command)).exit_code == code, command


async def test_a_command_that_takes_too_long_raises_timeout_error_and_the_container_goes_on(open_container):
    async with open_container() as container:
        await container.exec_run("sleep 1000 & echo $! > pid")
        began = time.monotonic()
        with pytest.raises(TimeoutError) as raised:
            await container.exec_run("echo begun; sleep 1000", timeout_s=1)
        assert time.monotonic() - began < 60
        assert raised.value.output == "begun\n"
        # What an earlier command left running does as well.
        assert (await container.exec_run("kill -0 $(cat pid) && echo alive")).output == "alive\n"


async def test_without_a_timeout_a_command_may_take_its_time(open_container):
    async with open_container() as container:
        assert (await container.exec_run("sleep 2; echo done")).output == "done\n"


async def test_a_cancelled_command_is_killed_and_the_next_one_runs_at_once(open_container):
    async with open_container() as container:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(container.exec_run("echo $$ > pid; exec sleep 1000"), 0.5)
        began = time.monotonic()
        done = await container.exec_run("kill -0 $(cat pid) 2>/dev/null || echo gone")
        assert (done.output, time.monotonic() - began < 60) == ("gone\n", True)


async def test_env_of_start_holds_for_all_commands_and_env_of_a_command_for_that_one(open_container):
    async with open_container(env={"A": "1", "B": "1"}) as container:
        say = "echo $A $B $C"
        assert (await container.exec_run(say, env={"B": "2", "C": "a b'\"$"})).output == "1 2 a b'\"$\n"
        assert (await container.exec_run(say)).output == "1 1\n"


async def test_nothing_of_the_environment_of_this_process_gets_in(open_container, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_TRAINER", "x")
    async with open_container() as container:
        assert "SECRET" not in (await container.exec_run("env")).output


async def test_the_working_directory_is_the_commands_or_the_containers(open_container):
    async with open_container(default_workdir="/testbed") as container:
        assert (await container.exec_run("pwd")).output == "/testbed\n"
        assert (await container.exec_run("pwd", workdir="/app/src")).output == "/app/src\n"
        assert (await container.exec_run("pwd", workdir="/")).output == "/\n"


async def test_a_command_starts_anew_but_files_and_background_processes_stay(open_container):
    async with open_container() as container:
        await container.exec_run(
            "cd /tmp; export A=1; echo kept > file; (sleep 0.5; echo later > after) & echo returned"
        )
        assert (await container.exec_run("echo $A; cat /tmp/file")).output == "\nkept\n"
        assert (await container.exec_run("until [ -s /tmp/after ]; do sleep 0.1; done; cat /tmp/after")).output == "later\n"


async def test_a_command_returns_when_it_ends_though_its_background_holds_the_output(open_container):
    async with open_container() as container:
        began = time.monotonic()
        assert (await container.exec_run("sleep 1000 & echo here")).output == "here\n"
        assert time.monotonic() - began < 60


async def test_absolute_paths_are_there_as_in_a_container(open_container):
    async with open_container() as container:
        done = await container.exec_run(
            "set -e; mkdir -p /logs/verifier /app/src; echo 1.0 > /logs/verifier/reward.txt; cat /logs/verifier/reward.txt;"
            "echo x > /testbed; cat /testbed; cd; echo y > file; cat ~/file"
        )
        assert done == containers.ExecResult(output="1.0\nx\ny\n", exit_code=0)


async def test_output_of_megabytes_comes_whole(open_container):
    async with open_container() as container:
        done = await container.exec_run("yes 0123456789abcde | head -c 8000000; printf '\\1\\2\"\\\\end'")
        assert (len(done.output), done.output[-7:]) == (8_000_007, '\x01\x02"\\end')


async def test_commands_given_at_once_all_run(open_container):
    async with open_container() as container:
        done = await asyncio.gather(*(container.exec_run(f"echo {n}") for n in range(50)))
        assert [one.output for one in done] == [f"{n}\n" for n in range(50)]


async def test_memory_is_in_gib_and_holds(open_container):
    fill = "python3 -c 'x = bytearray({} << 20); print(len(x) >> 20)'"
    async with open_container(resources=containers.Resources(memory=1)) as container:
        assert (await container.exec_run(fill.format(700))).output == "700\n"
        assert (await container.exec_run(fill.format(1500))).exit_code == 137
        assert (await container.exec_run("echo goes on")).output == "goes on\n"


async def test_cpu_is_cores_and_not_a_number_of_processes(open_container):
    async with open_container(resources=containers.Resources(cpu=1, memory=2, disk=1)) as container:
        done = await container.exec_run("for i in $(seq 100); do sleep 100 & done; jobs -p | wc -l; kill $(jobs -p)")
        assert done.output.splitlines()[0] == "100"


async def test_containers_do_not_see_each_other(open_container):
    async with open_container() as one, open_container() as other:
        await one.exec_run("echo mine > /tmp/file; sleep 1000 &")
        assert (
            await other.exec_run("cat /tmp/file; pgrep sleep; true")
        ).output == "cat: /tmp/file: No such file or directory\n"


async def test_a_container_that_is_not_started_says_so(open_container):
    async with open_container() as container:
        with pytest.raises(RuntimeError, match="is started already"):
            await container.start()
        await container.stop()
        with pytest.raises(RuntimeError, match="is not started"):
            await container.exec_run("true")
        await container.stop()
        await container.start()
        assert (await container.exec_run("echo again")).output == "again\n"


async def test_stop_ends_what_runs(open_container):
    async with open_container() as container:
        running = asyncio.create_task(container.exec_run("sleep 1000"))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        await container.stop()
        with pytest.raises(Exception, match="was stopped"):
            await running
        assert time.monotonic() - began < 60
