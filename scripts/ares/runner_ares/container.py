"""ARES's `Container`, as a live session of `runner serve`.

    env = ares.make("…", container_factory=RolloutContainer)

A container is one connection to the server of this process, and its sandbox ends with the connection. So
`stop_and_remove` needs no event loop, and nothing of a container outlives the process, however that ends.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fnmatch
import functools
import logging
import pathlib
from collections.abc import Mapping
from typing import Literal

from ares.containers import containers

from runner_ares import errors, server
from runner_ares.client import LONGEST_S, SHORTEST_S, Client, Session
from runner_ares.image import Image, from_dockerfile

_LOGGER = logging.getLogger(__name__)

_GIB_IN_MB = 1024
_END_WITHIN_S = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class RolloutContainerFactory:
    """Makes containers with settings of your own; give it as `container_factory`.

    `images` says what stands for an image or a Dockerfile, by a pattern of its name or path: the first that fits.
    The limits are those of each container, beside what `Resources` asks for. `network="host"` gives programs this
    machine's network.
    """

    images: Mapping[str, Image] = dataclasses.field(default_factory=dict[str, Image])
    network: Literal["none", "loopback", "host"] = "none"
    processes: int = 1024
    open_files: int = 4096
    output_kb: int = 16 * 1024
    # Further options of `runner serve`, for instance ("--isolation", "namespaces").
    serve: tuple[str, ...] = ()

    def from_image(
        self,
        *,
        image: str,
        name: str | None = None,
        resources: containers.Resources | None = None,
        default_workdir: str | None = None,
    ) -> RolloutContainer:
        return RolloutContainer(
            image=image, name=name, resources=resources, default_workdir=default_workdir, settings=self
        )

    def from_dockerfile(
        self,
        *,
        dockerfile_path: pathlib.Path | str,
        name: str | None = None,
        resources: containers.Resources | None = None,
        default_workdir: str | None = None,
    ) -> RolloutContainer:
        return RolloutContainer(
            dockerfile_path=dockerfile_path,
            name=name,
            resources=resources,
            default_workdir=default_workdir,
            settings=self,
        )

    def stand_in(self, name: str) -> Image | None:
        """What `images` says of it."""
        return next((found for pattern, found in self.images.items() if fnmatch.fnmatchcase(name, pattern)), None)

    def arguments(self) -> tuple[str, ...]:
        return (*self.serve, *(["--allow-host-network"] if self.network == "host" else []))


@dataclasses.dataclass(kw_only=True)
class RolloutContainer(containers.Container):
    """A sandbox in which command after command runs."""

    image: str | None = None
    dockerfile_path: pathlib.Path | str | None = None
    name: str | None = None
    resources: containers.Resources | None = None
    default_workdir: str | None = None
    settings: RolloutContainerFactory = dataclasses.field(default_factory=RolloutContainerFactory)
    _client: Client | None = dataclasses.field(default=None, init=False, repr=False)
    _session: Session | None = dataclasses.field(default=None, init=False, repr=False)

    async def start(self, env: dict[str, str] | None = None) -> None:
        """Starts a sandbox; `env` holds for all commands."""
        if self._client is not None:
            raise RuntimeError(f"Container {self.name} is started already; stop it first.")
        stand_in = self._stand_in()
        sock, ours = await asyncio.to_thread(server.connect, self.settings.arguments())

        def why_gone() -> errors.RunnerError:
            if self._client is not client:
                return errors.SessionEnded(f"container {self.name} was stopped")
            return ours.why_gone() if ours else errors.ServerGone("the runner server ended, and all containers with it")

        client = self._client = await Client.over(sock, why_gone)
        try:
            _explain(client)
            session = await client.start(
                workdir=self.default_workdir or stand_in.workdir,
                env={**stand_in.env, **(env or {})},
                resources=self._limits(),
                network=self.settings.network,
                # Each command says for itself how long it may take, and only the container's end is the session's.
                timeout_s=LONGEST_S,
                idle_s=0,
            )
            for local, remote in stand_in.files:
                await session.upload(local, remote)
            for command in stand_in.setup:
                done = await session.exec(command)
                if done.exit_code != 0:
                    raise errors.RunnerError(f"setup of {self.image or self.dockerfile_path}: {command}: {done.output}")
        except BaseException:
            self._client = None
            client.abort()
            raise
        self._session = session

    def _stand_in(self) -> Image:
        """What of the image or the Dockerfile there can be, with a warning for the rest."""
        if self.image is None and self.dockerfile_path is None:
            raise ValueError("Must specify one of image or dockerfile_path")
        name = self.image if self.image is not None else str(self.dockerfile_path)
        found = self.settings.stand_in(name)
        if found is None and self.image is None:
            found = from_dockerfile(pathlib.Path(name))
        if found is None:
            warn_once(
                f"The image {name!r} is not used: commands run with this machine's own programs, in an empty root. To say "
                f"what stands for it, pass container_factory=RolloutContainerFactory(images={{{name!r}: Image(workdir=…)}})."
            )
            return Image()
        if found.ignored:
            warn_once(
                f"Of {name}, WORKDIR, ENV, COPY and ADD apply; commands run with this machine's own programs. "
                f"Without effect: {'; '.join(found.ignored)}"
            )
        return found

    def _limits(self) -> dict[str, int]:
        limits = {
            "processes": self.settings.processes,
            "open_files": self.settings.open_files,
            "output_kb": self.settings.output_kb,
        }
        asked = self.resources or containers.Resources()
        if asked.gpu:
            raise ValueError(f"Container {self.name} asks for {asked.gpu} GPU; a sandbox has none.")
        if asked.cpu is not None:
            warn_once("Resources.cpu is not enforced: all containers share this machine's cores.")
        # ARES rounds down what is less than 1 GiB.
        if asked.memory is not None:
            limits["memory_mb"] = max(asked.memory, 1) * _GIB_IN_MB
        if asked.disk is not None:
            limits["disk_mb"] = max(asked.disk, 1) * _GIB_IN_MB
        return limits

    async def stop(self) -> None:
        """Ends the sandbox and everything in it."""
        client, self._client, self._session = self._client, None, None
        if client is None:
            return
        try:
            await asyncio.wait_for(client.close(), _END_WITHIN_S)
        except TimeoutError:
            client.abort()
            self._warn_of_a_slow_end()

    def stop_and_remove(self) -> None:
        """The same without an event loop, for atexit; also from another thread."""
        client, self._client, self._session = self._client, None, None
        if client is not None and not client.hang_up(_END_WITHIN_S):
            self._warn_of_a_slow_end()

    def _warn_of_a_slow_end(self) -> None:
        _LOGGER.warning(
            "Container %s has not ended within %.0f s; the server still sees to it.", self.name, _END_WITHIN_S
        )

    async def exec_run(
        self,
        command: str,
        *,
        workdir: str | None = None,
        env: dict[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> containers.ExecResult:
        """Runs `bash -lc command`. On TimeoutError it was killed; what it had printed is in the error's `output`."""
        limit = LONGEST_S if timeout_s is None else min(max(timeout_s, SHORTEST_S), LONGEST_S)
        done = await self._started().exec(command, workdir=workdir, env=env, timeout_s=limit)
        if done.status == "timeout":
            raise errors.ExecTimeout(
                f"The command took longer than {limit:g} s and was killed: {command[:200]}", done.output
            )
        # What the host kept from the command, memory or processes, is no outcome of it.
        if done.exit_code is None or done.fault == "infra":
            raise errors.RunnerError(f"{done.status}: {done.error}")
        if done.fault == "limit":
            _LOGGER.warning("Container %s: %s: %s", self.name, done.status, done.error)
        if done.truncated:
            _LOGGER.warning(
                "Container %s: only the beginning and the end of the output were kept, %d KB of %d bytes; see output_kb of RolloutContainerFactory",
                self.name,
                self.settings.output_kb,
                done.output_bytes,
            )
        return containers.ExecResult(output=done.output, exit_code=done.exit_code)

    async def upload_files(self, local_paths: list[pathlib.Path], remote_paths: list[str]) -> None:
        """Copies files in, with their modes."""
        for local, remote in _pairs(local_paths, remote_paths):
            await self._started().upload(pathlib.Path(local), str(remote))

    async def download_files(self, remote_paths: list[str], local_paths: list[pathlib.Path]) -> None:
        """Copies files out."""
        for remote, local in _pairs(remote_paths, local_paths):
            await self._started().download_file(str(remote), pathlib.Path(local))

    async def upload_dir(self, local_path: pathlib.Path, remote_path: str) -> None:
        """Copies what a directory contains in: empty directories and links, too."""
        local = pathlib.Path(local_path)
        if not local.is_dir():
            raise NotADirectoryError(f"{local} is not a directory; use upload_file")
        await self._started().upload(local, str(remote_path))

    async def download_dir(self, remote_path: str, local_path: pathlib.Path) -> None:
        """Copies what a directory contains out: files and directories. Links are not, as in ARES."""
        await self._started().download_directory(str(remote_path), pathlib.Path(local_path))

    def _started(self) -> Session:
        if self._session is None:
            raise RuntimeError(f"Container {self.name} is not started; call start first.")
        return self._session

    @classmethod
    def from_image(
        cls,
        *,
        image: str,
        name: str | None = None,
        resources: containers.Resources | None = None,
        default_workdir: str | None = None,
    ) -> RolloutContainer:
        return RolloutContainer(image=image, name=name, resources=resources, default_workdir=default_workdir)

    @classmethod
    def from_dockerfile(
        cls,
        *,
        dockerfile_path: pathlib.Path | str,
        name: str | None = None,
        resources: containers.Resources | None = None,
        default_workdir: str | None = None,
    ) -> RolloutContainer:
        return RolloutContainer(
            dockerfile_path=dockerfile_path, name=name, resources=resources, default_workdir=default_workdir
        )


def _pairs[A, B](left: list[A], right: list[B]) -> list[tuple[A, B]]:
    if len(left) != len(right):
        raise ValueError(f"{len(left)} paths to copy and {len(right)} to copy them to; there must be one for each")
    return list(zip(left, right, strict=True))


def _explain(client: Client) -> None:
    if client.greeting.get("tier") == "landlock":
        warn_once(
            "The sandboxes here have no root of their own: absolute paths as in a container (/tests, /logs, /app) are "
            "refused, only /workspace, /tmp and $HOME can be written. `runner doctor` says what namespaces need."
        )


@functools.cache
def warn_once(text: str) -> None:
    _LOGGER.warning(text)
