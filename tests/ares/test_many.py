"""Many environments at once, and nothing left of them."""

import asyncio
import dataclasses
import tempfile
from pathlib import Path

import local_ares
import processes
from ares.environments import code_env
from ares.llms import request
from ares.testing.mock_llm import MockLLMClient
from harbor.models.task.task import Task
from runner_ares import Client, RolloutContainer, server

ENVIRONMENTS = 64
COMMANDS = 100


@dataclasses.dataclass
class Busy:
    """An agent that runs command after command, and looks at every answer."""

    container: object
    llm_client: object

    async def run(self, task):
        await self.llm_client(request.LLMRequest(messages=[{"role": "user", "content": task}]))
        for number in range(COMMANDS):
            # Now and then one leaves something running.
            background = "sleep 1000 &" if number % 20 == 0 else ""
            done = await self.container.exec_run(f"{background} echo {number} >> log; wc -l < log", timeout_s=60)
            assert (done.output, done.exit_code) == (f"{number + 1}\n", 0)
        await self.container.exec_run("sed -i 's/a - b/a + b/' add.py")


async def episode(model):
    async with code_env.CodeEnvironment(
        [Task(local_ares.TASK)], container_factory=RolloutContainer, code_agent_factory=Busy
    ) as env:
        step = await env.reset()
        while step.step_type != "LAST":
            step = await env.step(await model(step.observation))
        return step.reward


def temporary():
    """Directories that this process or its server could have made."""
    return set(Path(tempfile.gettempdir()).glob("runner-serve-*"))


async def test_sixty_four_environments_of_a_hundred_commands_leave_nothing():
    model = MockLLMClient()
    # What there is when the server and its pool are there.
    await episode(model)
    sock, ours = server.connect()
    client = await Client.over(sock, ours.why_gone)

    async def there():
        """Descriptors of this process and of the server, and processes, beyond the slots that wait for sessions."""
        stats = await client.stats()
        assert (stats["sessions"], stats["waiting"]) == (0, 0)
        running = [name for name in processes.below() if name.startswith("slot")]
        return (
            processes.descriptors(),
            processes.descriptors(ours.pid) - stats["ready"],
            len(running) - 2 * stats["ready"],
        )

    async def settled():
        """Once new slots have taken the place of those that were used."""
        now = await there()
        for _ in range(60):
            await asyncio.sleep(0.5)
            earlier, now = now, await there()
            if now == earlier:
                break
        return now

    before, files, memory = await settled(), temporary(), processes.memory_mb(ours.pid)
    assert await asyncio.gather(*(episode(model) for _ in range(ENVIRONMENTS))) == [1.0] * ENVIRONMENTS
    assert await settled() == before
    assert temporary() <= files
    assert processes.memory_mb(ours.pid) < memory + 50
    await client.close()
