"""REINFORCE, without or with a learned baseline (Williams 1992, section 4)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pgcourse import checks
from pgcourse.agents.on_policy import OnPolicyAgent
from pgcourse.parts.returns import discounted_returns
from pgcourse.parts.rollout import Lesson, Steps


class ReinforceAgent(OnPolicyAgent):
    """One step of the policy along the returns to go, less a baseline if there is one.

    Args:
        env, args, options: as for `OnPolicyAgent`; `lam` has no say.
        baseline: V(s) is learned and taken from the returns, and stands for what a time limit
            cut off.
        critic_steps: steps of the value for each one of the policy.

    Raises:
        TypeError, ValueError: an argument cannot work.
    """

    def __init__(
        self, env: Any, *args: Any, baseline: bool = False, critic_steps: int = 5, **options: Any
    ):
        self.baseline = checks.flag("baseline", baseline)
        self.critic_steps = checks.integer("critic_steps", critic_steps)
        super().__init__(env, *args, **options)
        if not self.baseline:
            del self.critic, self.learners["critic"]

    def estimates(self, steps: Steps) -> tuple[Tensor, Tensor]:
        """Return the returns to go less the baseline, and the returns themselves, (T, n) each."""
        zeros = torch.zeros_like(steps.reward)
        later = self.critic(steps.next_obs) if self.baseline else zeros
        rows = (later, steps.terminated, steps.truncated)
        returns = discounted_returns(self.reward_scale * steps.reward, *rows, self.gamma)
        return returns - (self.critic(steps.obs) if self.baseline else zeros), returns

    def update(self, lesson: Lesson) -> Iterator[dict[str, float]]:
        """Step the policy, then the baseline."""
        yield self.descend(lesson, "actor")
        for _ in range(self.critic_steps * self.baseline):
            yield self.descend(lesson, "critic")
