"""Advantage actor-critic, all environments in step (Mnih et al. 2016; Schulman et al. 2015)."""

from collections.abc import Iterator
from typing import Any

from pgcourse import checks
from pgcourse.agents.on_policy import OnPolicyAgent
from pgcourse.parts.rollout import Lesson


class A2CAgent(OnPolicyAgent):
    """One step of the policy along generalised advantages, then several of the value.

    Args:
        env, args, options: as for `OnPolicyAgent`.
        critic_steps: steps of the value for each one of the policy.

    Raises:
        TypeError, ValueError: an argument cannot work.
    """

    def __init__(self, env: Any, *args: Any, critic_steps: int = 5, **options: Any):
        self.critic_steps = checks.integer("critic_steps", critic_steps)
        super().__init__(env, *args, **options)

    def update(self, lesson: Lesson) -> Iterator[dict[str, float]]:
        """Step the policy, then the value; the advantages are those from before."""
        yield self.descend(lesson, "actor")
        for _ in range(self.critic_steps):
            yield self.descend(lesson, "critic")
