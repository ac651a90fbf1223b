"""The server that all containers of a process share: started on first use, and ended with the process.

    this process ── stdin/stdout ──> runner serve --stdio --socket …    its end is the server's
        └── one connection for each container, through the socket

The server ends at the end of its stdin, so also when this process is killed. Its socket has no name while it serves: it
is made in a private directory, opened as a path, and removed at once; connections go through that descriptor. So
nothing can be left behind, and nobody else can connect. A fork of this process starts with a server of its own.

With RUNNER_SOCKET in the environment, the server that listens there is used instead, and left alone.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from typing import IO

from runner_ares import binary, errors

SOCKET_VARIABLE = "RUNNER_SOCKET"
_START_WITHIN_S = 60.0
_END_WITHIN_S = 10.0


class Server:
    """A `runner serve` that is ours."""

    _socket = -1
    _words = ""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        program = binary.find()
        # What it says for people is looked at when it fails.
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        with tempfile.TemporaryDirectory(prefix="runner-serve-") as private:
            path = os.path.join(private, "socket")
            try:
                self._process = subprocess.Popen(
                    [program, "serve", "--stdio", "--socket", path, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._stderr,
                    cwd="/",
                    # Ctrl-C is for the program that uses it, which may want to end in order.
                    start_new_session=True,
                )
            except OSError as error:
                self._stderr.close()
                raise errors.ServerUnavailable(f"can't start {program}: {error.strerror}") from error
            try:
                self._await_greeting()
                self._socket = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except BaseException:
                self.end(within_s=0)
                raise

    def _await_greeting(self) -> None:
        """It greets when it listens."""
        assert self._process.stdout is not None
        line = b""
        until = time.monotonic() + _START_WITHIN_S
        while not line.endswith(b"\n"):
            if not select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                raise errors.ServerUnavailable(f"`runner serve` did not answer within {_START_WITHIN_S:.0f} s")
            read = os.read(self._process.stdout.fileno(), 1 << 16)
            if not read:
                raise errors.ServerUnavailable(
                    f"`runner serve` did not start: {self._last_words()}; `runner doctor` says what this machine allows"
                )
            line += read

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(f"/proc/self/fd/{self._socket}")
        except OSError as error:
            sock.close()
            raise errors.ServerGone(f"can't connect to the runner server: {error.strerror}") from error
        return sock

    @property
    def pid(self) -> int:
        return self._process.pid

    def serves(self) -> bool:
        return self._process.poll() is None

    def why_gone(self) -> errors.RunnerError:
        """What the end of a connection means."""
        return errors.ServerGone(
            f"the runner server ended ({self._last_words()}), and all containers with it; "
            "the next `start` starts another server"
        )

    def _last_words(self) -> str:
        if self._stderr.closed:
            return self._words
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Its end is seen by its pipes before it is dead.
            self._process.wait(0.5)
        code = self._process.returncode
        ended = "it still runs" if code is None else f"exit status {code}" if code >= 0 else signal.Signals(-code).name
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return ": ".join([ended, *lines[-1:]])

    def end(self, within_s: float = _END_WITHIN_S) -> None:
        """Returns when it and everything of it is gone."""
        self._let_go()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            # The sandboxes see that and end by themselves.
            self._process.kill()
            self._process.wait()
        self._words = self._last_words()
        self._stderr.close()

    def disown(self) -> None:
        """For a fork: the server is a sibling's, not ours to wait for."""
        self._process.returncode = 0
        self._stderr.close()
        self._let_go()

    def _let_go(self) -> None:
        """Gives up what this process holds of it: its end, unless this is a fork."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if self._socket >= 0:
            os.close(self._socket)
        self._socket = -1


_servers: dict[tuple[str, ...], Server] = {}
_lock = threading.Lock()


def connect(arguments: tuple[str, ...] = ()) -> tuple[socket.socket, Server | None]:
    """A connection to the server with these arguments, which is started when there is none. Blocks."""
    named = os.environ.get(SOCKET_VARIABLE)
    if named:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(named)
        except OSError as error:
            sock.close()
            raise errors.ServerUnavailable(
                f"no runner listens at {named}, which {SOCKET_VARIABLE} names ({error.strerror}); "
                f"start one with `runner serve --socket {named}`, or unset {SOCKET_VARIABLE}"
            ) from error
        return sock, None
    with _lock:
        server = _servers.get(arguments)
        if server is not None and not server.serves():
            server.end()
            server = None
        if server is None:
            server = _servers[arguments] = Server(arguments)
    return server.connect(), server


@atexit.register
def end_all() -> None:
    """Ends all that is shared; the next `connect` starts anew."""
    for server in _servers.values():
        server.end()
    _servers.clear()


def _in_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for server in _servers.values():
        server.disown()
    _servers.clear()


os.register_at_fork(after_in_child=_in_fork)
