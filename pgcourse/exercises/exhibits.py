"""The exhibits of the museum of bugs: agents with one mistake each.

Each runs, trains and looks plausible. The mistakes are of kinds that were found in published
code; the code here was written for this course.
"""

from typing import Any

import numpy as np
import torch
from torch.distributions import Normal
from torch.nn.functional import mse_loss

from pgcourse import Batch, BCAgent, DDPGAgent, OUNoise, SACAgent, TD3Agent, soft_update
from pgcourse.agents.agent import Agent
from pgcourse.agents.noisy import NoisyAgent, NoisyBatch
from pgcourse.exercises.exhibits_on_policy import Exhibit14, Exhibit15, Exhibit16
from pgcourse.exercises.exhibits_replay import Exhibit17, Exhibit18, Exhibit19
from pgcourse.exercises.others import Drawing
from pgcourse.parts.gaussian import squashed_gaussian
from pgcourse.parts.history import Episode


class RandomPushes(OUNoise):
    """Ornstein-Uhlenbeck noise whose pushes come from `random`."""

    def sample(self) -> np.ndarray:
        """Advance one step."""
        push = self.sigma * self.rng.random(self.size)
        self.state = self.state + self.theta * (self.mu - self.state) + push
        return self.state.copy()


class Exhibit1(DDPGAgent):
    """Brings noise of its own."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        noise = self.noise
        self.noise = RandomPushes(noise.size, noise.mu, noise.theta, noise.sigma)
        self.noise.rng = noise.rng


class Exhibit2(DDPGAgent):
    """Stores whether the episode is over."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        """Act once and store the transition."""
        if self.obs is None:
            self.reset()
        next_obs, reward, terminated, truncated, _ = self.env.step(action)
        over = terminated or truncated
        self.memory.store(self.obs, action, reward, next_obs, over)
        self.total_steps += 1
        self.score += float(reward)
        self.obs = np.array(next_obs)
        if over:
            self.history.add_episode(self.total_steps, self.score)
            self.obs = None
        return next_obs, float(reward), terminated, truncated


class Exhibit3(DDPGAgent):
    """Seeds its episodes, so that a run can be repeated."""

    def reset(self) -> np.ndarray:
        """Start an episode."""
        self.reset_seed = self.seed
        return super().reset()


class Exhibit4(DDPGAgent):
    """Computes the critic's loss with values as columns."""

    def critic_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the critic's loss and what to record."""
        with torch.no_grad():
            next_q = self.critic_target(batch.next_obs, self.actor_target(batch.next_obs))
            target = batch.reward + self.gamma * (1 - batch.terminated) * next_q
        q = self.critic(batch.obs, batch.action).reshape(-1, 1)
        loss = ((q - target) ** 2).mean()
        return loss, {"critic_loss": loss}


class Exhibit5(DDPGAgent):
    """Warms up with the torques of the pendulum, from -2 to 2."""

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action."""
        if self.total_steps < self.initial_random_steps:
            return np.clip(self.rng.uniform(-2, 2, self.act_dim), -1, 1).astype(np.float32)
        return super().select_action(obs)


class Exhibit6(BCAgent):
    """Draws its batches in one go."""

    def sample(self) -> Batch:
        """Draw N + N_D transitions."""
        first, more = self.memory.sample_batch(), self.memory.sample_batch()
        rows = (np.concatenate([a, b[: self.demo_batch_size]]) for a, b in zip(first, more))  # noqa: B905
        return self.to_tensors(Batch(*rows))


class Exhibit7(BCAgent):
    """Writes out the cloning loss."""

    def actor_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        action, n = self.actor(batch.obs), self.demo_batch_size
        q = self.critic(batch.obs, action)
        with torch.no_grad():
            demo_q = self.critic(batch.obs[-n:], batch.action[-n:])
        mask = (demo_q > q[-n:]).float() if self.q_filter else torch.ones_like(demo_q)
        distance = ((action[-n:] - batch.action[-n:]) ** 2).sum(dim=1)
        q_term = -self.lambda1 * q.mean()
        bc_term = self.lambda2 / n * (mask * distance).mean()
        loss = q_term + bc_term
        record = {"actor_loss": loss, "q_term": q_term, "bc_term": bc_term}
        return loss, record | {"pass_rate": mask.mean()}


class Exhibit8(DDPGAgent):
    """Saves a network: the critic itself values the next state."""

    def critic_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the critic's loss and what to record."""
        next_q = self.critic(batch.next_obs, self.actor_target(batch.next_obs))
        target = batch.reward + self.gamma * (1 - batch.terminated) * next_q
        loss = mse_loss(self.critic(batch.obs, batch.action), target)
        return loss, {"critic_loss": loss}


class Exhibit9(DDPGAgent):
    """Has one way to act, for training and for evaluation."""

    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return actions for one obs or many."""
        action = super().policy(obs)
        noise = np.array([self.noise.sample() for _ in range(action[..., 0].size)])
        return np.clip(action + noise.reshape(action.shape), -1, 1).astype(np.float32)

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action."""
        if self.total_steps < self.initial_random_steps:
            return super().select_action(obs)
        return self.policy(obs)


class Exhibit10(DDPGAgent):
    """Plays its test episodes in the environment that it has."""

    def test(self, seed: int = 0) -> Episode:
        """Play one episode of the noise-free policy."""
        obs, _ = self.env.reset(seed=seed)
        score, over, terminated = 0.0, False, False
        while not over:
            obs, reward, terminated, truncated, _ = self.env.step(self.policy(obs))
            score, over = score + float(reward), terminated or truncated
        return Episode(score, [], terminated)


class Cleared(NoisyAgent):
    """Updates as much PyTorch code does: `zero_grad`, `backward`, `step`."""

    def update(self, batch: NoisyBatch) -> dict[str, float]:
        """Let each learner go down its loss, then each follower follow, in its turn."""
        for each in self.learners.values():
            each.optimizer.zero_grad()
        record = {}
        for each in self.learners.values():
            if self.updates % each.every == 0:
                loss, numbers = each.objective(batch)
                record |= self.history.read(self.total_steps, numbers)
                loss.backward()
                each.optimizer.step()
        for each in self.followers.values():
            if self.updates % each.every == 0:
                soft_update(each.slow, each.network, self.tau)
        return record


class Exhibit11(Cleared, TD3Agent):
    """Makes sure that both critics' values are rows."""

    def critic_objective(self, batch: NoisyBatch) -> tuple[torch.Tensor, dict]:
        """Return both critics' loss and what to record."""
        noise = (self.target_sigma * batch.next_noise).clamp(-self.target_clip, self.target_clip)
        next_action = (self.actor_target(batch.next_obs) + noise).clamp(-1, 1)
        next_qs = [slow(batch.next_obs, next_action) for slow in self.critics_target]
        next_q = torch.minimum(next_qs[0], next_qs[1]).detach()
        target = batch.reward + self.gamma * (1 - batch.terminated) * next_q
        qs = [critic(batch.obs, batch.action) for critic in self.critics]
        q, twin_q = qs[0].reshape(-1), qs[0].reshape(-1)
        loss = mse_loss(q, target) + mse_loss(twin_q, target)
        return loss, {"critic_loss": loss}


class Exhibit12(Drawing):
    """Leaves the formula of the density to `torch.distributions`."""

    def draw(self, obs: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return actions and the logarithms of their densities."""
        mean, log_std = self.actor.gaussian(obs)
        gaussian = Normal(mean, log_std.exp())
        drawn = mean + log_std.exp() * noise
        return torch.tanh(drawn), gaussian.log_prob(drawn).sum(dim=1)


class Exhibit13(Cleared, SACAgent):
    """Lets the temperature decide what a draw's entropy is worth."""

    def actor_objective(self, batch: NoisyBatch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        gaussian = self.actor.gaussian(batch.obs)
        action, log_density = squashed_gaussian(*gaussian, batch.noise)
        q = torch.minimum(*(critic(batch.obs, action) for critic in self.critics))
        loss = (self.temperature() * log_density - q).mean()
        return loss, {"actor_loss": loss, "entropy": -log_density.mean()}


# name: (the agent, where to look if a test does not notice)
EXHIBITS: dict[str, tuple[type[Agent], str]] = {
    "noise": (Exhibit1, "Draw many exploring actions from one obs. Around what do they lie?"),
    "end": (Exhibit2, "Play until the time limit, and look at what was stored."),
    "start": (Exhibit3, "Start two episodes. Which states do they start from?"),
    "columns": (Exhibit4, "Compute the loss of a small batch by Eq. 7, and compare the numbers."),
    "warm-up": (Exhibit5, "Draw many actions during the warm-up. How are they spread?"),
    "batch": (Exhibit6, "Where do the last N_D rows of a batch come from?"),
    "weight": (Exhibit7, "Compute the cloning loss of one batch by hand, with lambda1 = 0."),
    "network": (Exhibit8, "The target is data. What does the loss's gradient depend on?"),
    "evaluation": (Exhibit9, "Ask the policy twice about one obs."),
    "test": (Exhibit10, "Train two equal agents, and call `test` on one of them in between."),
    "twin": (Exhibit11, "Who learns? Compare the weights of both critics before and after."),
    "correction": (Exhibit12, "How large can the entropy of an action between -1 and 1 be?"),
    "temperature": (Exhibit13, "Let the policy draw hardly any noise. Where should α go?"),
    "boundary": (Exhibit14, "Which next_obs stands in the rollout where an episode was cut?"),
    "axes": (Exhibit15, "With gamma=0 a target is a reward. Whose?"),
    "clip": (Exhibit16, "A third of a standard normal's draws lie beyond 1. Where are they?"),
    "seam": (Exhibit17, "How many steps can an n-step row have in an episode of four?"),
    "rare": (Exhibit18, "Who is drawn more often than others, and how much does he weigh?"),
    "pull": (Exhibit19, "A critic that says 10 everywhere pulls nobody anywhere."),
}
