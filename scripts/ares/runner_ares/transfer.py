"""Trees of files as the protocol's frames, both ways: regular files, directories and links, byte for byte, with modes.

What comes out of a sandbox was made by a program nobody trusts. So a download creates files and directories only
below the place it was asked to fill, makes no links, and follows none that it finds there: what the sandbox sends
chooses the path, and would choose where it ends.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import stat
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
        self._directories: list[tuple[PurePosixPath, int]] = []
        self._partial: _Partial | None = None

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
        mode = int(entry.get("mode", "0644"), 8) & 0o755
        if kind == "directory":
            os.close(self._open_directory(name))
            self._directories.append((name, mode))
        elif kind == "file":
            if self._tree:
                self._partial = _Partial(self._open_directory(name.parent), name.name, mode)
            else:
                self._local.parent.mkdir(parents=True, exist_ok=True)
                self._partial = _Partial(_open(self._local.parent), self._local.name, mode)

    def data(self, data: bytes) -> None:
        if self._partial is None:
            raise errors.RunnerError(f"the server sent data of {self._remote} that belongs to no file")
        self._partial.write(data)

    def finish(self) -> None:
        self._complete()
        for name, mode in reversed(self._directories):
            descriptor = self._open_directory(name)
            try:
                # Those who asked for it must be able to read it and to remove it.
                os.fchmod(descriptor, mode | stat.S_IRWXU)
            finally:
                os.close(descriptor)

    def _open_directory(self, name: PurePosixPath) -> int:
        """Makes a directory below `local`, with its parents, and opens it. Only `local` itself may be a link."""
        self._local.mkdir(parents=True, exist_ok=True)
        descriptor = _open(self._local)
        try:
            for depth, part in enumerate(name.parts, 1):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
                if stat.S_ISLNK(os.stat(part, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    raise errors.LinkInTheWay(
                        f"{self._local.joinpath(*name.parts[:depth])} is a link, and a download follows none, because "
                        "the sandbox chooses what goes through it; remove the link, or download into an empty directory"
                    )
                # It may have become one by now.
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _complete(self) -> None:
        partial, self._partial = self._partial, None
        if partial is not None:
            partial.complete()

    def abandon(self) -> None:
        partial, self._partial = self._partial, None
        if partial is not None:
            partial.abandon()


class _Partial:
    """A file that is not whole yet, under another name in its directory, which it takes over."""

    def __init__(self, directory: int, name: str, mode: int) -> None:
        self._directory, self._name, self._mode = directory, name, mode
        self._partial = f".download-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._partial, flags, 0o600, dir_fd=directory)
        except BaseException:
            os.close(directory)
            raise

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def complete(self) -> None:
        """Gives it its name. What has that name is replaced: a link, too, and not what it leads to."""
        try:
            os.fchmod(self._descriptor, self._mode | stat.S_IRUSR | stat.S_IWUSR)
            os.replace(self._partial, self._name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except BaseException:
            self.abandon()
            raise
        self._close()

    def abandon(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._partial, dir_fd=self._directory)
        self._close()

    def _close(self) -> None:
        os.close(self._descriptor)
        os.close(self._directory)


def _open(directory: Path) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
