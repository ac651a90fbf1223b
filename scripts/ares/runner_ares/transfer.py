"""Trees of files as the protocol's frames, both ways: regular files, directories and links, byte for byte, with modes.

What comes out of a sandbox was made by a program nobody trusts. So a download creates files and directories only
below the place it was asked to fill, and makes no links.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from runner_ares import errors
from runner_ares.connection import Connection

_FRAME_BYTES = 1 << 20

Message = dict[str, Any]


async def upload(connection: Connection, session: str, local: Path, remote: str) -> None:
    """A file becomes `remote`; the contents of a directory are laid into it."""
    # Before the server is told: what can't be read or named is the caller's to know.
    entries = list(_entries(local))
    request = connection.open("upload", {"session": session, "path": remote})
    try:
        await request.next()
        for frame in _frames(entries):
            # An answer before the end is an error.
            if request.answered():
                break
            request.send(frame)
            await connection.drained()
        else:
            request.send({"end": True})
        await request.next()
    except errors.RunnerError:
        raise
    except BaseException:
        with contextlib.suppress(errors.RunnerError):
            request.send({"abort": True})
        raise
    finally:
        request.forget()


def _frames(entries: list[tuple[Message, Path | None]]) -> Iterator[Message]:
    for entry, source in entries:
        yield {"entry": entry}
        if source is not None:
            with source.open("rb") as file:
                while chunk := file.read(_FRAME_BYTES):
                    yield {"data": base64.b64encode(chunk).decode()}


def _entries(local: Path) -> Iterator[tuple[Message, Path | None]]:
    """What there is, parents first; the second is the file whose contents follow."""
    if not local.is_dir():
        yield _file("", local), local
        return
    yield _directory("", local), None
    top = os.path.realpath(local)
    for directory, names, files in os.walk(local):
        for name in sorted(names + files):
            path = Path(directory, name)
            relative = path.relative_to(local).as_posix()
            if path.is_symlink() and (_leads_inside(path, top) or not path.is_file()):
                yield {"path": _name(relative), "kind": "link", "target": _name(os.readlink(path))}, None
            elif path.is_file():
                yield _file(relative, path), path
            elif path.is_dir():
                yield _directory(relative, path), None


def _leads_inside(link: Path, top: str) -> bool:
    """Whether it means the same file in the copy. One that leads out of the tree is copied as the file it leads to."""
    target = os.readlink(link)
    return not os.path.isabs(target) and os.path.realpath(link).startswith(top + os.sep)


def _file(relative: str, path: Path) -> Message:
    return {"path": _name(relative), "kind": "file", "mode": _mode(path)}


def _directory(relative: str, path: Path) -> Message:
    return {"path": _name(relative), "kind": "directory", "mode": _mode(path)}


def _mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode) & 0o777:04o}"


def _name(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the name {text!r} is not UTF-8, so it can't be uploaded; rename the file") from None
    return text


async def download(connection: Connection, session: str, remote: str, local: Path, *, tree: bool) -> None:
    """Makes `local` what `remote` is: a file or, with `tree`, what a directory contains."""
    request = connection.open("download", {"session": session, "path": remote})
    writer = _Writer(remote, local, tree)
    try:
        while "result" not in (message := await request.next()):
            if "entry" in message:
                writer.entry(message["entry"])
            else:
                writer.data(base64.b64decode(message["data"]))
        writer.finish()
    finally:
        writer.abandon()
        request.forget()


class _Writer:
    """Writes what comes. A file appears under its name when it is whole."""

    def __init__(self, remote: str, local: Path, tree: bool) -> None:
        self._remote, self._local, self._tree = remote, local, tree
        # The modes of directories come last: one without `w` must be filled first.
        self._directories: list[tuple[Path, int]] = []
        self._partial: str | None = None
        self._descriptor = -1
        self._place = local
        self._mode = 0

    def entry(self, entry: Message) -> None:
        self._complete()
        name, kind = PurePosixPath(entry["path"]), entry["kind"]
        if name.is_absolute() or ".." in name.parts:
            raise errors.RunnerError(f"the server sent an entry outside of {self._remote}: {entry['path']!r}")
        if not name.parts and (kind == "directory") != self._tree:
            what = (
                "is a directory; use download_dir" if kind == "directory" else "is not a directory; use download_file"
            )
            raise (IsADirectoryError if kind == "directory" else NotADirectoryError)(f"{self._remote} {what}")
        place, mode = self._local / name, int(entry.get("mode", "0644"), 8) & 0o755
        if kind == "directory":
            place.mkdir(parents=True, exist_ok=True)
            self._directories.append((place, mode))
        elif kind == "file":
            place.parent.mkdir(parents=True, exist_ok=True)
            self._place, self._mode = place, mode
            self._descriptor, self._partial = tempfile.mkstemp(dir=place.parent, prefix=".download-")

    def data(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self) -> None:
        self._complete()
        for directory, mode in reversed(self._directories):
            # Those who asked for it must be able to read it and to remove it.
            directory.chmod(mode | stat.S_IRWXU)

    def _complete(self) -> None:
        if self._partial is not None:
            os.fchmod(self._descriptor, self._mode | stat.S_IRUSR | stat.S_IWUSR)
            os.close(self._descriptor)
            os.replace(self._partial, self._place)
            self._partial = None

    def abandon(self) -> None:
        if self._partial is not None:
            os.close(self._descriptor)
            os.unlink(self._partial)
            self._partial = None
