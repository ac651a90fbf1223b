"""Whole episodes of ARES's own agents, as a user of ARES writes them."""

import agents
import pytest
from runner_ares import RolloutContainer


@pytest.mark.parametrize("agent", agents.SCRIPTS)
@pytest.mark.parametrize("expression, reward", [(agents.RIGHT, 1.0), (agents.WRONG, 0.0)])
async def test_an_agent_gets_the_reward_it_deserves(agent, expression, reward):
    found, shown = await agents.rollout(agent, expression, container_factory=RolloutContainer)
    assert found == reward
    text = "\n".join(shown)
    assert "return a - b" in text
    assert "hello world" in text
    assert "/app" in text
