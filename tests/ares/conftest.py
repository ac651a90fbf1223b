"""What all tests share. Tests may be coroutines: each gets an event loop of its own."""

import asyncio
import contextlib
import inspect
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "scripts/ares")]

import local_ares  # noqa: E402, F401
import processes  # noqa: E402
from runner_ares import Image, RolloutContainerFactory  # noqa: E402

# As Docker has it for an image without a WORKDIR of its own.
FACTORY = RolloutContainerFactory(images={"none": Image()})


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        names = inspect.signature(pyfuncitem.obj).parameters
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True
    return None


@contextlib.asynccontextmanager
async def started(factory=FACTORY, env=None, **fields):
    """A container that runs."""
    container = factory.from_image(**{"image": "none"} | fields)
    await container.start(env)
    try:
        yield container
    finally:
        await container.stop()


@pytest.fixture
def open_container():
    return started


@pytest.fixture(autouse=True, scope="session")
def nothing_is_left():
    """After the last test: orphans are adopted by this process, so what is left is below it."""
    processes.adopt_orphans()
    yield
    from runner_ares import server

    server.end_all()
    assert processes.gone_within(30), processes.below()
