"""One update in the form that tutorials give it: correct, and slow in six usual ways.

1. Batch indices by `np.random.choice(..., replace=False)`, which shuffles the whole buffer.
2. Fresh tensors from arrays, by `torch.FloatTensor`, with columns reshaped to (B, 1).
3. Adam as it comes, one small operation after the other.
4. The actor's loss is propagated into the critic's weights, whose gradient is thrown away.
5. The target networks run with gradients, cut off afterwards.
6. Soft updates through `.data.copy_`, weight by weight.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss

from pgcourse.parts.networks import Actor, Critic


class TutorialDDPG:
    """The four networks, two optimisers and a buffer of `stored` random transitions."""

    gamma, tau = 0.99, 5e-3

    def __init__(self, batch_size, stored):
        self.batch_size, self.stored = batch_size, stored
        self.actor, self.actor_target = Actor(3, 1), Actor(3, 1)
        self.critic, self.critic_target = Critic(4), Critic(4)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=3e-4)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=1e-3)
        shapes = {"obs": (3,), "action": (1,), "reward": (), "next_obs": (3,), "terminated": ()}
        rng = np.random.default_rng(0)
        self.data = {
            name: rng.uniform(-1, 1, (stored, *shape)).astype(np.float32)
            for name, shape in shapes.items()
        }
        self.data["terminated"][:] = 0.0

    def sample(self):
        """A dict of arrays."""
        rows = np.random.choice(self.stored, self.batch_size, replace=False)
        return {name: column[rows] for name, column in self.data.items()}

    def tensors(self, samples):
        """obs, action, reward (B, 1), next_obs, terminated (B, 1)."""
        obs = torch.FloatTensor(samples["obs"])
        action = torch.FloatTensor(samples["action"].reshape(-1, 1))
        reward = torch.FloatTensor(samples["reward"].reshape(-1, 1))
        next_obs = torch.FloatTensor(samples["next_obs"])
        terminated = torch.FloatTensor(samples["terminated"].reshape(-1, 1))
        return obs, action, reward, next_obs, terminated

    def update(self):
        """Critic, actor, targets."""
        obs, action, reward, next_obs, terminated = self.tensors(self.sample())
        next_q = self.critic_target(next_obs, self.actor_target(next_obs)).unsqueeze(-1)
        target = (reward + self.gamma * next_q * (1 - terminated)).detach()
        critic_loss = mse_loss(self.critic(obs, action).unsqueeze(-1), target)
        self.critic_optimizer.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()

        actor_loss = self.actor_loss(obs, action)
        self.actor_optimizer.zero_grad()
        actor_loss.backward()
        self.actor_optimizer.step()

        for slow, fast in ((self.actor_target, self.actor), (self.critic_target, self.critic)):
            self.follow(slow, fast)
        return actor_loss.item(), critic_loss.item()

    def actor_loss(self, obs, action):
        """Minus the mean value."""
        return -self.critic(obs, self.actor(obs)).mean()

    def follow(self, slow: nn.Module, fast: nn.Module):
        """The soft update."""
        for t, s in zip(slow.parameters(), fast.parameters(), strict=True):
            t.data.copy_(self.tau * s.data + (1.0 - self.tau) * t.data)


class TutorialBC(TutorialDDPG):
    """With demonstrations, cloning and the Q-filter."""

    def __init__(self, batch_size, stored, demo_batch_size, demo):
        super().__init__(batch_size, stored)
        self.demo_batch_size = demo_batch_size
        self.demo = [np.array(column, dtype=np.float32) for column in zip(*demo, strict=True)]

    def tensors(self, samples):
        """The replayed rows, then the demonstrated ones."""
        rows = np.random.choice(len(self.demo[0]), self.demo_batch_size, replace=False)
        demo = super().tensors(dict(zip(samples, (c[rows] for c in self.demo), strict=True)))
        return [torch.cat(pair) for pair in zip(super().tensors(samples), demo, strict=True)]

    def actor_loss(self, obs, action):
        """λ1 and λ2 terms."""
        proposed, n = self.actor(obs), self.demo_batch_size
        q = self.critic(obs, proposed)
        better = self.critic(obs[-n:], action[-n:]) > q[-n:]
        cloning = ((proposed[-n:][better] - action[-n:][better]) ** 2).sum() / n
        return -1e-3 * q.mean() + cloning
