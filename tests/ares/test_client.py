"""No request waits for ever, whatever it asks for and whatever the server answers."""

import asyncio
import json
import socket

import pytest
from runner_ares import Client, server
from runner_ares.errors import InvalidRequest, RequestFailed, RequestTooLong, RunnerError

WITHIN_S = 60


async def connected():
    """A client of the shared server."""
    sock, shared = await asyncio.to_thread(server.connect)
    assert shared is not None
    return await Client.over(sock, shared.why_gone)


async def answered_by(answer, greeting=None):
    """A client whose server answers every request with what `answer` makes of it."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)

    async def serve():
        writer.write(json.dumps({"protocol": 1} | (greeting or {})).encode() + b"\n")
        while line := await reader.readline():
            writer.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
        writer.close()

    serving = asyncio.create_task(serve())
    client = await Client.over(ours, lambda: RunnerError("the server is gone"))
    return client, serving


async def soon(request):
    return await asyncio.wait_for(request, WITHIN_S)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
async def test_a_timeout_that_is_no_number_in_json_is_refused_before_it_is_sent(number):
    client = await connected()
    session = await client.start()
    for ask in (lambda: session.exec("true", timeout_s=number), lambda: client.start(timeout_s=number)):
        with pytest.raises(InvalidRequest, match="NaN and infinity are no numbers there") as raised:
            await soon(ask())
        assert isinstance(raised.value, ValueError) and raised.value.code == "bad_request"
    assert (await soon(session.exec("echo on"))).output == "on\n"
    await client.close()


async def test_a_request_that_is_longer_than_the_server_reads_is_refused_before_it_is_sent():
    client = await connected()
    session = await client.start()
    most = client.greeting["max_line"]
    for fields in ({"stdin": "x" * most}, {"files": {"f": "x" * most}}, {"env": {"A": "x" * most}}):
        with pytest.raises(RequestTooLong, match=f"lines of at most {most}; `upload` large") as raised:
            await soon(session.exec("cat", **fields))
        assert isinstance(raised.value, ValueError) and raised.value.code == "too_long"
    assert (await soon(session.exec("echo on"))).output == "on\n"
    await client.close()


async def test_large_stdin_goes_in_by_upload(tmp_path):
    client = await connected()
    session = await client.start(resources={"memory_mb": 1024})
    (tmp_path / "stdin").write_bytes(b"x" * (17 << 20))
    await soon(session.upload(tmp_path / "stdin", "/tmp/stdin"))
    assert (await soon(session.exec("wc -c < /tmp/stdin"))).output == f"{17 << 20}\n"
    await client.close()


async def test_a_line_at_the_limit_of_the_server_is_sent():
    client, serving = await answered_by(lambda asked: {"id": asked["id"], "result": {}}, {"max_line": 40})
    line = len(json.dumps({"id": 1, "op": "start", "workdir": ""}, separators=(",", ":"))) + 1
    await soon(client._connection.ask("start", {"workdir": "x" * (40 - line)}))
    with pytest.raises(RequestTooLong):
        await soon(client._connection.ask("start", {"workdir": "x" * (41 - line)}))
    await client.close()
    await serving


async def test_an_error_without_an_id_ends_every_open_request():
    message = "a line of more than 16777216 bytes"
    answers = [None, None, {"id": None, "error": {"code": "too_long", "message": message}}]

    def answer(asked):
        return answers.pop(0) or {"id": 0, "result": {}}

    client, serving = await answered_by(answer)
    asked = [asyncio.create_task(client.stats()) for _ in range(3)]
    for request in asked:
        with pytest.raises(RequestFailed, match=message) as raised:
            await soon(request)
        assert raised.value.code == "too_long"
    await client.close()
    await serving


async def test_an_answer_that_can_not_be_read_ends_every_open_request():
    client, serving = await answered_by(lambda asked: [asked])
    with pytest.raises(RunnerError, match="the server is gone"):
        await soon(client.stats())
    client.abort()
    await serving
