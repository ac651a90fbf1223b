"""Lines of JSON over one stream socket: requests go out, and each gets the messages that carry its id.

It owns the socket. It belongs to one event loop; only `hang_up` may be called from anywhere.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from runner_ares import errors

# Messages that a request has not taken yet, from which on nothing more is read: a download can't fill the memory.
_ENOUGH = 8

Message = dict[str, Any]


class Request:
    """One open request: what the server says about it, in order. The last message has a `result` or an `error`."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._messages: asyncio.Queue[Message | errors.RunnerError] = asyncio.Queue()
        self.id = number

    def send(self, message: Message) -> None:
        self._connection.send({"id": self.id, **message})

    async def next(self) -> Message:
        message = await self._messages.get()
        self._connection.read_on()
        if isinstance(message, errors.RunnerError):
            raise message
        if "error" in message:
            raise errors.from_answer(message["error"])
        return message

    def forget(self) -> None:
        """Whatever else is said about it is dropped."""
        self._connection.forget(self.id)

    def answered(self) -> bool:
        """Whether `next` has something at once."""
        return not self._messages.empty()

    def tell(self, message: Message | errors.RunnerError) -> int:
        self._messages.put_nowait(message)
        return self._messages.qsize()


class Connection(asyncio.Protocol):
    """The protocol's transport side."""

    def __init__(self, sock: socket.socket, why_gone: Callable[[], errors.RunnerError]) -> None:
        self._socket = sock
        self._process = os.getpid()
        self._loop = asyncio.get_running_loop()
        self._why_gone = why_gone
        self._buffer = bytearray()
        self._searched = 0
        self._requests: dict[int, Request] = {}
        self._numbers = itertools.count(1)
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._ending = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed = asyncio.Event()
        self._gone: errors.RunnerError | None = None
        # The server speaks first, and says how long a line may be.
        self._greeting: Request | None = Request(self, 0)
        self._max_line: int | None = None

    @classmethod
    async def over(cls, sock: socket.socket, why_gone: Callable[[], errors.RunnerError]) -> Connection:
        """Takes the connected socket over; `why_gone` tells what its end means."""
        sock.setblocking(False)
        _, connection = await asyncio.get_running_loop().create_connection(lambda: cls(sock, why_gone), sock=sock)
        return connection

    async def greeting(self) -> Message:
        """What the server says of itself; to be asked for once, before anything is sent."""
        assert self._greeting is not None
        message = await self._greeting.next()
        self._greeting = None
        self._max_line = message.get("max_line")
        return message

    def open(self, operation: str, fields: Message) -> Request:
        """Sends a request."""
        if self._gone is not None:
            raise self._gone
        request = Request(self, next(self._numbers))
        # Before it is known to us, so that one that can't be sent leaves nothing.
        request.send({"op": operation, **fields})
        self._requests[request.id] = request
        return request

    def forget(self, number: int) -> None:
        self._requests.pop(number, None)
        self.read_on()

    async def ask(self, operation: str, fields: Message) -> Message:
        """A request that has one answer."""
        request = self.open(operation, fields)
        try:
            result: Message = (await request.next())["result"]
            return result
        finally:
            request.forget()

    def send(self, message: Message) -> None:
        if self._transport is None or self._gone is not None:
            raise self._gone or self._why_gone()
        self._transport.write(_line(message, self._max_line))

    async def drained(self) -> None:
        """Waits until the server has taken most of what was sent."""
        await self._writable.wait()

    async def close(self) -> None:
        """Ends the connection, and with it its sessions; returns when the server has seen to that."""
        # The server's end must be seen, whatever it sends before.
        self._ending = True
        self.read_on()
        if self._transport is not None and self._gone is None:
            self._transport.write_eof()
        await self._closed.wait()

    def abort(self) -> None:
        """Ends it at once, without waiting for anything."""
        if self._transport is not None:
            self._transport.abort()

    def hang_up(self, within_s: float) -> bool:
        """The same from any thread, with or without a loop; whether the server was done in time."""
        if os.getpid() != self._process:
            # A fork has a copy of it, which it must not end.
            return True
        try:
            # The loop may close the socket at any moment, and its number may then be somebody else's.
            with self._socket.dup() as ours:
                ours.shutdown(socket.SHUT_WR)
                # Only the end is waited for, nothing read: what comes is still the loop's.
                poll = select.poll()
                poll.register(ours, select.POLLRDHUP)
                until = time.monotonic() + within_s
                while not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                    if time.monotonic() >= until:
                        return False
        except OSError:
            # It is closed already: the sessions ended with it.
            pass
        if self._loop.is_closed():
            # Which then won't do it.
            self._socket.close()
        return True

    def read_on(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        begin = 0
        while (end := buffer.find(b"\n", max(begin, self._searched))) >= 0:
            self._take(buffer[begin:end])
            begin = self._searched = end + 1
        del buffer[:begin]
        self._searched = len(buffer)

    def _take(self, line: bytearray) -> None:
        message: Message = json.loads(line)
        for request in self._meant(message.get("id")):
            self._tell(request, message)

    def _meant(self, number: int | None) -> list[Request]:
        """Who a message is for. Without an id it is the greeting, or the error that comes in place of one; later, an error
        about a line whose id the server could not read: any open request may be the one that gets no other answer."""
        if number is not None:
            return [self._requests[number]] if number in self._requests else []
        return [self._greeting] if self._greeting is not None else list(self._requests.values())

    def _tell(self, request: Request, message: Message) -> None:
        if request.tell(message) >= _ENOUGH and not (self._paused or self._ending) and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = self._why_gone()
        self._gone.__cause__ = exc
        for request in [*self._requests.values(), self._greeting]:
            if request is not None:
                request.tell(self._gone)
        self._writable.set()
        self._closed.set()


def _line(message: Message, most: int | None) -> bytes:
    """A message as the server reads it. What it could not read, it might not be able to answer either."""
    try:
        line = json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    except ValueError as error:
        raise errors.invalid_request(
            f"the request can't be written as JSON ({error}); NaN and infinity are no numbers there: give a finite one"
        ) from error
    if most is not None and len(line) > most:
        raise errors.too_long(
            f"the request is {len(line)} bytes long, and the server reads lines of at most {most}; `upload` large "
            "stdin and files, and let the command read them there (`program < /tmp/stdin`)"
        )
    return line
