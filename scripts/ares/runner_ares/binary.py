"""Where the `runner` program is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from runner_ares import errors

VARIABLE = "RUNNER_BIN"
# scripts/ares/runner_ares/binary.py of a checkout.
_BUILT = Path(__file__).resolve().parents[3] / "target/release/runner"


def find() -> str:
    """RUNNER_BIN, or `runner` on PATH, or what a checkout has built."""
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise errors.ServerUnavailable(f"{VARIABLE} is {named!r}, which is not a program; correct or unset it")
        return os.path.abspath(found)
    found = shutil.which("runner") or shutil.which(_BUILT)
    if found is None:
        raise errors.ServerUnavailable(
            "no `runner` program: build it with `cargo build --release` in a checkout, "
            f"and put it on PATH or name it in {VARIABLE}"
        )
    return os.path.abspath(found)
