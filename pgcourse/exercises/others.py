"""Right agents, written differently from the course's own: what a test must not depend on."""

import numpy as np
import torch
from torch.distributions import Normal, TanhTransform
from torch.nn.functional import mse_loss

from pgcourse import Batch, BCAgent, DDPGAgent, SACAgent, TD3Agent, soft_update
from pgcourse.agents.agent import Agent
from pgcourse.agents.ddpgfd import DDPGfDAgent
from pgcourse.agents.noisy import NoisyAgent, NoisyBatch
from pgcourse.agents.off_policy import descend
from pgcourse.agents.ppo import PPOAgent
from pgcourse.exercises.others_replay import OtherDDPGfD
from pgcourse.parts.rollout import Lesson, Steps


class OtherDDPG(DDPGAgent):
    """A right agent, written differently: other draws, other formulas, the actor first."""

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action."""
        if self.total_steps < self.initial_random_steps:
            return (1 - 2 * self.rng.random(self.act_dim)).astype(np.float32)
        return np.clip(self.noise.sample() + self.policy(obs), -1, 1).astype(np.float32)

    def sample(self) -> Batch:
        """Draw rows of which no two are the same."""
        size = min(self.memory.batch_size, len(self.memory))
        rows = self.rng.choice(len(self.memory), size, replace=False)
        return self.to_tensors(Batch(*(column[rows] for column in self.memory.data)))

    def critic_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the critic's loss and what to record."""
        with torch.no_grad():
            following = self.critic_target(batch.next_obs, self.actor_target(batch.next_obs))
            following = torch.where(batch.terminated > 0, 0.0, following)
        q = self.critic(batch.obs, batch.action)
        loss = mse_loss(q, torch.add(batch.reward, following, alpha=self.gamma))
        return loss, {"critic_loss": loss}

    def actor_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        q = self.critic(batch.obs, self.actor(batch.obs))
        loss = -q.sum() / len(q)
        return loss, {"actor_loss": loss}

    def update_model(self) -> dict[str, float]:
        """One update: the actor first, each on a batch of its own."""
        self.updates += 1
        losses = {}
        for name in ("actor", "critic"):
            learner = self.learners[name]
            loss, numbers = learner.objective(self.sample())
            losses |= self.history.read(self.total_steps, numbers)
            descend(learner, loss)
        for slow, fast in ((self.critic_target, self.critic), (self.actor_target, self.actor)):
            soft_update(slow, fast, self.tau)
        return losses


class OtherBC(BCAgent):
    """A right agent, written differently: demonstrations without repetition, other formulas."""

    def sample(self) -> Batch:
        """Draw N replayed transitions followed by N_D demonstrations."""
        replayed = self.to_tensors(self.memory.sample_batch())
        rows = self.rng.permutation(len(self.demo_memory))[: self.demo_batch_size]
        demo = self.to_tensors(Batch(*(column[rows] for column in self.demo_memory.data)))
        return Batch(*(torch.cat(pair) for pair in zip(replayed, demo, strict=True)))

    def actor_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        n, action = self.demo_batch_size, self.actor(batch.obs)
        obs, shown, proposed = batch.obs[-n:], batch.action[-n:], action[-n:]
        with torch.no_grad():
            better = self.critic(obs, shown) > self.critic(obs, proposed)
        kept = better if self.q_filter else torch.ones_like(better)
        bc_term = self.lambda2 * mse_loss(proposed[kept], shown[kept], reduction="sum") / n
        q_term = -self.lambda1 * self.critic(batch.obs, action).mean()
        record = {"actor_loss": q_term + bc_term, "q_term": q_term, "bc_term": bc_term}
        return q_term + bc_term, record | {"pass_rate": kept.float().mean()}


class OtherDraws(NoisyAgent):
    """Draws rows of which no two are the same, and pairs of opposite noise."""

    def sample(self) -> NoisyBatch:
        """Draw a batch and standard normal numbers."""
        size, half = self.batch_size, (self.batch_size + 1) // 2
        rows = self.rng.choice(len(self.memory), size, replace=False)
        noise = self.rng.normal(size=(2, half, self.act_dim)).astype(np.float32)
        noise = np.concatenate([noise, -noise], axis=1)[:, :size]
        return self.to_tensors(NoisyBatch(*(c[rows] for c in self.memory.data), *noise))


class OtherTD3(OtherDraws, TD3Agent):
    """A right agent, written differently: other draws, other formulas."""

    def critic_objective(self, batch: NoisyBatch) -> tuple[torch.Tensor, dict]:
        """Return both critics' loss and what to record."""
        with torch.no_grad():
            noise = torch.clip(self.target_sigma * batch.next_noise, *self.reach())
            action = torch.clip(noise + self.actor_target(batch.next_obs), -1, 1)
            both = torch.stack([slow(batch.next_obs, action) for slow in self.critics_target])
            following = torch.where(batch.terminated > 0, 0.0, both.min(dim=0).values)
            target = torch.add(batch.reward, following, alpha=self.gamma)
        both = torch.stack([critic(batch.obs, batch.action) for critic in self.critics])
        loss = 2 * mse_loss(both, target.expand_as(both))
        return loss, {"critic_loss": loss}

    def reach(self) -> tuple[float, float]:
        """Return the ends of the noise on target actions."""
        return -self.target_clip, self.target_clip

    def actor_objective(self, batch: NoisyBatch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        q = self.critics[0](batch.obs, self.actor(batch.obs))
        loss = -q.sum() / len(q)
        return loss, {"actor_loss": loss}


class Drawing(SACAgent):
    """A right agent, written differently: one method draws, for all three losses.

    The actor's loss keeps its gradient by α: each learner steps down its own weights only.
    """

    def draw(self, obs: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return actions and the logarithms of their densities."""
        mean, log_std = self.actor.gaussian(obs)
        drawn, squash = torch.addcmul(mean, log_std.exp(), noise), TanhTransform()
        action = squash(drawn)
        log_density = Normal(mean, log_std.exp()).log_prob(drawn)
        return action, (log_density - squash.log_abs_det_jacobian(drawn, action)).sum(dim=1)

    def critic_objective(self, batch: NoisyBatch) -> tuple[torch.Tensor, dict]:
        """Return both critics' loss and what to record."""
        with torch.no_grad():
            action, log_density = self.draw(batch.next_obs, batch.next_noise)
            both = torch.stack([slow(batch.next_obs, action) for slow in self.critics_target])
            value = both.min(dim=0).values - self.temperature() * log_density
            target = batch.reward + self.gamma * (1 - batch.terminated) * value
        both = torch.stack([critic(batch.obs, batch.action) for critic in self.critics])
        loss = 2 * mse_loss(both, target.expand_as(both))
        return loss, {"critic_loss": loss}

    def actor_objective(self, batch: NoisyBatch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        action, log_density = self.draw(batch.obs, batch.noise)
        q = torch.stack([critic(batch.obs, action) for critic in self.critics]).min(dim=0).values
        loss = (self.temperature() * log_density - q).mean()
        return loss, {"actor_loss": loss, "entropy": -log_density.mean()}

    def temperature_objective(self, batch: NoisyBatch) -> tuple[torch.Tensor, dict]:
        """Return the temperature's loss and what to record."""
        with torch.no_grad():
            entropy = -self.draw(batch.obs, batch.noise)[1].mean()
        alpha = self.temperature()
        loss = alpha * (entropy - self.target_entropy)
        return loss, {"temperature_loss": loss, "temperature": alpha}


class OtherSAC(OtherDraws, Drawing):
    """A right agent, written differently: other draws, other formulas."""


class OtherPPO(PPOAgent):
    """A right agent, written differently: other draws, other formulas, rows in another order."""

    def explore(self, obs: np.ndarray) -> np.ndarray:
        """Return a drawn action for each environment, (n, act_dim)."""
        with torch.no_grad():
            deviation = self.actor.log_std.exp().cpu().numpy()
        return self.rng.normal(self.mean(obs), deviation).astype(np.float32)

    def estimates(self, steps: Steps) -> tuple[torch.Tensor, torch.Tensor]:
        """Return advantages and the values' targets, (T, n) each: first the targets."""
        following = self.critic(steps.next_obs)
        later, targets = following[-1], []  # what a row's successor is worth
        for row in reversed(range(len(following))):
            cut, ended = steps.truncated[row] > 0, steps.terminated[row] > 0
            later = torch.lerp(following[row], later, self.lam)
            later = torch.where(cut, following[row], later).masked_fill(ended, 0.0)
            later = torch.add(self.reward_scale * steps.reward[row], later, alpha=self.gamma)
            targets.insert(0, later)
        target = torch.stack(targets)
        return target - self.critic(steps.obs), target

    def sample(self) -> Lesson:
        """Return the rollout as a lesson, shuffled."""
        lesson = super().sample()
        order = torch.from_numpy(self.shuffles.permutation(len(lesson.obs))).to(self.device)
        return Lesson(*(column[order] for column in lesson))

    def actor_objective(self, lesson: Lesson) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        log_ratio = self.log_density(lesson.obs, lesson.action) - lesson.log_density
        ratio, good = log_ratio.exp(), lesson.advantage > 0
        held = torch.where(good, ratio.clamp(max=1 + self.clip), ratio.clamp(min=1 - self.clip))
        loss = -(held * lesson.advantage).mean()
        kl = (torch.expm1(log_ratio) - log_ratio).detach().mean()
        return loss, {"actor_loss": loss, "kl": kl}

    def critic_objective(self, lesson: Lesson) -> tuple[torch.Tensor, dict]:
        """Return the critic's loss and what to record."""
        loss = mse_loss(self.critic(lesson.obs), lesson.target)
        return loss, {"critic_loss": loss}


# the course's own agent: another right one
RIGHT: dict[type[Agent], type[Agent]] = {
    DDPGAgent: OtherDDPG, BCAgent: OtherBC, TD3Agent: OtherTD3, SACAgent: OtherSAC,
    PPOAgent: OtherPPO, DDPGfDAgent: OtherDDPGfD,
}  # fmt: skip


def own(kind: type[Agent]) -> type[Agent]:
    """Return the course's own agent, of which `kind` is one."""
    return next(agent for agent in RIGHT if issubclass(kind, agent))
