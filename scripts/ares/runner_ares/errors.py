"""What can go wrong, as types. Every text names what to do about it, or is the server's own, which does."""

from __future__ import annotations

from collections.abc import Mapping


class RunnerError(Exception):
    """Something failed that is not the doing of the program in the sandbox."""


class ServerUnavailable(RunnerError):
    """There is no `runner` to start, it would not start, or nothing listens at the socket."""


class ServerGone(RunnerError):
    """The server ended, and with it everything that ran there."""


class RequestFailed(RunnerError):
    """The server's answer was an error; `code` is the protocol's."""

    code = ""


class InvalidRequest(RequestFailed, ValueError):
    """The request is not one that the server can read."""


class RequestTooLong(RequestFailed, ValueError):
    """The request is longer than the server reads; large stdin and files go in by `upload`."""


class SessionEnded(RequestFailed):
    """The session is gone: stopped, idle for too long, or lost."""


class ServerBusy(RequestFailed):
    """The server holds as many requests or connections as it may; the text says of which, and how many."""


class NoSlot(ServerBusy, TimeoutError):
    """A new sandbox could not be had: no slot became free in time, or the server holds as many requests as it may.

    The text says which.
    """


class NotFound(RequestFailed, FileNotFoundError):
    """There is no such file in the sandbox."""


class IsDirectory(RequestFailed, IsADirectoryError):
    """A file was asked for or meant to be written where a directory is."""


class Refused(RequestFailed, PermissionError):
    """A place that the sandbox does not let its session read or write."""


class NoSpace(RequestFailed, OSError):
    """The disk limit of the session is reached."""


class LinkInTheWay(RunnerError, FileExistsError):
    """A download met a link in the directory that it was to fill."""


class ExecTimeout(RunnerError, TimeoutError):
    """The command ran out of time and was killed; `output` is what it had printed until then."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


_BY_CODE: dict[str, type[RequestFailed]] = {
    "bad_request": InvalidRequest,
    "too_long": RequestTooLong,
    "no_session": SessionEnded,
    "stopped": SessionEnded,
    "infra": SessionEnded,
    "busy": ServerBusy,
    "not_found": NotFound,
    "is_directory": IsDirectory,
    "refused": Refused,
    "no_space": NoSpace,
}


def from_answer(error: Mapping[str, str]) -> RequestFailed:
    """The exception for the `error` of an answer."""
    failed = _BY_CODE.get(error["code"], RequestFailed)(error["message"])
    failed.code = error["code"]
    return failed


def invalid_request(message: str) -> RequestFailed:
    """What the server would answer to a request that it can't read, without its being sent."""
    return from_answer({"code": "bad_request", "message": message})


def too_long(message: str) -> RequestFailed:
    """The same for one that is longer than the server reads."""
    return from_answer({"code": "too_long", "message": message})


def no_slot(busy: ServerBusy) -> NoSlot:
    """What it means for a sandbox that was to be started."""
    failed = NoSlot(*busy.args)
    failed.code = busy.code
    return failed
