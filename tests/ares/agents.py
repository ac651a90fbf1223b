"""ARES's agents on the task in `task/`, with answers out of a script in place of a model."""

import json

import local_ares  # noqa: F401, before ARES
import ares
from ares.testing.mock_llm import MockLLMClient

RIGHT, WRONG = "a + b", "a * b"


def _bash(command):
    return f"I do this.\n\n```bash\n{command}\n```"


def _keys(*lines, complete=False):
    commands = [{"keystrokes": line + "\n", "duration": 0.4} for line in lines]
    return json.dumps({"analysis": "-", "plan": "-", "commands": commands, "task_complete": complete})


def _fix(expression):
    return f"sed -i 's/a - b/{expression}/' add.py"


SCRIPTS = {
    "mswea": lambda expression: [
        _bash('pwd; cat add.py; echo "$GREETING"'),
        _bash(_fix(expression)),
        _bash("echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"),
    ],
    "terminus2": lambda expression: [
        _keys("pwd; cat add.py", 'echo "$GREETING" from $TMUX_PANE'),
        _keys(_fix(expression)),
        _keys(complete=True),
        _keys(complete=True),
    ],
}


def environment(agent, container_factory):
    """As a user of ARES makes one."""
    return ares.make(f"sums-{agent}", container_factory=container_factory)


async def episode(env, agent, expression):
    """An episode as ARES's examples run it; the reward, and what the model was shown."""
    model = MockLLMClient(responses=SCRIPTS[agent](expression))
    step = await env.reset()
    while step.step_type != "LAST":
        step = await env.step(await model(step.observation))
    shown = [str(message.get("content")) for message in model.requests[-1].messages if message["role"] == "user"]
    return step.reward, shown


async def rollout(agent, expression, container_factory):
    """A whole one, from the environment to its end."""
    async with environment(agent, container_factory) as env:
        return await episode(env, agent, expression)
