"""A process that uses sandboxes, and leaves in the way its argument names."""

import asyncio
import atexit
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts/ares"))

from runner_ares import Client, server  # noqa: E402

BUSY = "sleep 1000 & sleep 1000 &"


async def session():
    """A sandbox in which something runs, and its connection."""
    sock, shared = server.connect()
    client = await Client.over(sock, shared.why_gone)
    await (await client.start()).exec(BUSY)
    return client


async def container():
    import local_ares  # noqa: F401
    from runner_ares import RolloutContainer

    made = RolloutContainer.from_image(image="none")
    await made.start()
    await made.exec_run(BUSY)
    return made


async def environment():
    """One of ARES's that nobody closes: ARES itself stops its container when the interpreter ends."""
    import agents
    from runner_ares import RolloutContainer

    env = agents.environment("mswea", RolloutContainer)
    await env.__aenter__()
    await env.reset()
    return env


def stop_and_remove_at_exit():
    atexit.register(asyncio.run(container()).stop_and_remove)


def wait_for_ctrl_c():
    client = asyncio.run(session())
    try:
        print("ready", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        # The server is not meant.
        assert client.hang_up(5)
        assert all(shared.serves() for shared in server._servers.values())
        print("in order")


def busy(end):
    def leave():
        _kept = asyncio.run(session())
        end()

    return leave


WAYS = {
    "by itself": busy(lambda: None),
    "with an exception": busy(lambda: sys.exit(1)),
    "without any clean-up": busy(lambda: os._exit(7)),
    "by SIGKILL": busy(lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "by SIGTERM": busy(lambda: os.kill(os.getpid(), signal.SIGTERM)),
    "with stop_and_remove at exit": stop_and_remove_at_exit,
    "with an open ARES environment": lambda: asyncio.run(environment()),
    "by Ctrl-C": wait_for_ctrl_c,
}

if __name__ == "__main__":
    # Whoever runs the tests in the background of a shell has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    WAYS[sys.argv[1]]()
