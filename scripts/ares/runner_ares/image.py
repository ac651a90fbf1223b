"""What stands for an image. A sandbox has this machine's own programs, read-only, and a root of its own; so of an image
only its working directory, its variables and its files can be had. The rest is named, so that it can be warned of.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

# What says nothing about what commands find.
_WITHOUT_EFFECT = {"CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "STOPSIGNAL"}
_CONTINUED = re.compile(r"\\[ \t]*\n")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Image:
    """`files` are laid into a new sandbox, `host path: place`: a file, or what a directory contains."""

    workdir: str | None = None
    env: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    files: Sequence[tuple[Path, str]] = ()
    # Run in order when the sandbox is new, before anything else; each has to exit with 0.
    setup: Sequence[str] = ()
    # Lines of a Dockerfile that have no effect here.
    ignored: Sequence[str] = ()


def from_dockerfile(path: Path) -> Image:
    """What WORKDIR, ENV, COPY and ADD of its last stage say."""
    workdir = "/"
    env: dict[str, str] = {}
    arguments: dict[str, str] = {}
    files: list[tuple[Path, str]] = []
    ignored: list[str] = []

    def expanded(text: str) -> str:
        return _VARIABLE.sub(lambda found: {**arguments, **env}.get(found[1] or found[2], found[0]), text)

    for line in _instructions(path.read_text(encoding="utf-8")):
        keyword, _, rest = line.partition(" ")
        keyword, rest = keyword.upper(), rest.strip()
        if keyword == "WORKDIR":
            workdir = str(PurePosixPath(workdir, expanded(rest).strip("\"'")))
        elif keyword == "ENV":
            env |= {name: expanded(value) for name, value in _assignments(rest)}
        elif keyword == "ARG":
            arguments |= {name: expanded(value) for name, value in _assignments(rest) if value}
        elif keyword in ("COPY", "ADD") and (copied := _copied(path.parent, workdir, expanded(rest))):
            files += copied
        elif keyword == "FROM":
            # The stages before are not this image.
            workdir = "/"
            env.clear()
            files.clear()
            ignored[:] = [] if rest == "scratch" else [line]
        elif keyword not in _WITHOUT_EFFECT:
            ignored.append(line)
    return Image(workdir=workdir, env=env, files=files, ignored=ignored)


def _instructions(text: str) -> list[str]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line.strip() for line in _CONTINUED.sub(" ", lines).splitlines() if line.strip()]


def _assignments(text: str) -> list[tuple[str, str]]:
    """`A=1 B="two words"`, or the old `A the rest`."""
    words = shlex.split(text)
    if "=" not in words[0] and len(words) > 1:
        name, _, value = text.partition(" ")
        return [(name, value.strip())]
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def _copied(context: Path, workdir: str, text: str) -> list[tuple[Path, str]]:
    """What is copied where; nothing when it is not from the directory of the Dockerfile."""
    words: list[str] = json.loads(text) if text.startswith("[") else shlex.split(text)
    if any(word.startswith(("--", "<<")) or "://" in word for word in words):
        return []
    *sources, target = words
    found = [path for source in sources for path in sorted(context.glob(source.strip("/") or "."))]
    place = PurePosixPath(workdir, target)
    into = target.endswith("/") or target in (".", "..") or len(found) > 1
    return [(path, str(place / path.name if into and path.is_file() else place)) for path in found]
