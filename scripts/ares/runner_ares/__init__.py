"""Live sandboxes of `runner serve`: an asyncio client, and ARES's `Container`.

`RolloutContainer`, `RolloutContainerFactory` and `Image` need `martian-ares`; the client needs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner_ares.client import Client, Execution, Session
from runner_ares.errors import ExecTimeout, RunnerError
from runner_ares.image import Image

if TYPE_CHECKING:
    from runner_ares.container import RolloutContainer, RolloutContainerFactory

__all__ = [
    "Client",
    "ExecTimeout",
    "Execution",
    "Image",
    "RolloutContainer",
    "RolloutContainerFactory",
    "RunnerError",
    "Session",
]


def __getattr__(name: str) -> Any:
    # Importing ARES takes seconds and asks a registry on the network.
    if name in ("RolloutContainer", "RolloutContainerFactory"):
        from runner_ares import container

        return getattr(container, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
