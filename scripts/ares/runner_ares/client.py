"""An asyncio client of `runner serve`: sandboxes in which command after command runs. Needs nothing but Python.

    client = await Client.connect("/run/runner.sock")
    session = await client.start(workdir="/app", resources={"memory_mb": 2048})
    execution = await session.exec("echo hello; exit 3", timeout_s=10)   # .status "failed", .exit_code 3
    await session.stop()
    await client.close()

A client is one connection and belongs to the event loop that made it. Its sessions end with it, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from runner_ares import errors, transfer
from runner_ares.connection import Connection

PROTOCOL = 1
# The longest that the server takes: a week.
LONGEST_S = 604_800.0
SHORTEST_S = 0.001


@dataclasses.dataclass(frozen=True, kw_only=True)
class Execution:
    """How one command ended: the fields of a result, under the same names."""

    status: str
    exit_code: int | None
    output: str
    output_bytes: int
    truncated: bool
    signal: int | None = None
    fault: str | None = None
    error: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    peak_memory_mb: float = 0.0
    queue_ms: float = 0.0
    startup_ms: float | None = None
    start: str | None = None


_FIELDS = frozenset(field.name for field in dataclasses.fields(Execution))


class Session:
    """One sandbox. Requests are done in the order in which they are made."""

    def __init__(self, connection: Connection, answer: Mapping[str, Any]) -> None:
        self._connection = connection
        self.id: str = answer["session"]
        self.tier: str = answer["tier"]

    async def exec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        workdir: str | None = None,
        timeout_s: float | None = None,
        stdin: str | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> Execution:
        """Runs a command line by `bash -lc`, or a program with its arguments. What is None is the session's.

        The whole request is one line of at most `greeting["max_line"]` bytes: `upload` what is larger, and let the command
        read it there. When the caller is cancelled, so is the command.
        """
        fields: dict[str, Any] = {"session": self.id}
        fields["command" if isinstance(command, str) else "argv"] = command
        given = {"env": env, "workdir": workdir, "timeout_s": timeout_s, "stdin": stdin, "files": files}
        fields |= {name: value for name, value in given.items() if value is not None}
        request = self._connection.open("exec", fields)
        try:
            result = (await request.next())["result"]
        except asyncio.CancelledError:
            with contextlib.suppress(errors.RunnerError):
                self._connection.open("cancel", {"session": self.id, "of": request.id}).forget()
            raise
        finally:
            request.forget()
        return Execution(**{name: value for name, value in result.items() if name in _FIELDS})

    async def upload(self, local: Path, remote: str) -> None:
        """Copies a file to `remote`, or what a directory contains into it."""
        await transfer.upload(self._connection, self.id, local, remote)

    async def download_file(self, remote: str, local: Path) -> None:
        """Copies a file out."""
        await transfer.download(self._connection, self.id, remote, local, tree=False)

    async def download_directory(self, remote: str, local: Path) -> None:
        """Copies what a directory contains into `local`: files and directories, no links."""
        await transfer.download(self._connection, self.id, remote, local, tree=True)

    async def stop(self) -> None:
        """Ends it, whatever runs in it; returns when everything of it is gone."""
        await self._connection.ask("stop", {"session": self.id})


class Client:
    """One connection to a server."""

    def __init__(self, connection: Connection, greeting: Mapping[str, Any]) -> None:
        self._connection = connection
        self.greeting = greeting

    @classmethod
    async def connect(cls, path: str) -> Self:
        """Connects to the socket of `runner serve --socket PATH`."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            await asyncio.to_thread(sock.connect, path)
        except OSError as error:
            sock.close()
            raise errors.ServerUnavailable(
                f"no runner listens at {path} ({error.strerror}); start one with `runner serve --socket {path}`"
            ) from error
        return await cls.over(sock, lambda: errors.ServerGone(f"the runner at {path} ended, and its sandboxes with it"))

    @classmethod
    async def over(cls, sock: socket.socket, why_gone: Callable[[], errors.RunnerError]) -> Self:
        """Takes a connected socket over; `why_gone` tells what its end means."""
        connection = await Connection.over(sock, why_gone)
        try:
            greeting = await connection.greeting()
            if greeting.get("protocol") != PROTOCOL:
                raise errors.ServerUnavailable(
                    f"the runner speaks protocol {greeting.get('protocol')}, this client {PROTOCOL}; update the older one"
                )
        except BaseException:
            connection.abort()
            raise
        return cls(connection, greeting)

    async def start(self, **fields: Any) -> Session:
        """A new sandbox. `fields` are those of the protocol's `start`: workdir, env, resources, timeout_s, …"""
        try:
            answer = await self._connection.ask("start", {k: v for k, v in fields.items() if v is not None})
        except errors.ServerBusy as error:
            raise errors.no_slot(error) from None
        return Session(self._connection, answer)

    async def stats(self) -> Mapping[str, Any]:
        """What the server has done and is doing."""
        return await self._connection.ask("stats", {})

    async def close(self) -> None:
        """Ends the connection; returns when everything of its sessions is gone."""
        await self._connection.close()

    def abort(self) -> None:
        """Ends the connection without waiting for anything."""
        self._connection.abort()

    def hang_up(self, within_s: float) -> bool:
        """`close` for where there is no loop: any thread, the end of the interpreter. False when it took longer."""
        return self._connection.hang_up(within_s)
