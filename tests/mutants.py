"""Break the algorithm on purpose: `python -m tests.mutants [name ...]`.

Each mutant is one realistic slip in a copy of the module. The unit tests must kill it.
"""

import ast
import copy
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from joblib import Parallel, delayed, parallel_config

ROOT = Path(__file__).parents[1]
# From quick to slow: a mutant is dead at the first that fails.
TESTS = [
    "equations",
    "networks",
    "noise",
    "buffer",
    "envs",
    "evaluation",
    "seeding",
    "goals",
    "corridor",
    "clone",
    "her",
    "prioritized",
    "ddpgfd",
    "td3",
    "sac",
    "on_policy",
    "her_agent",
    "ddpg",
    "demos",
    "bc",
    "optimal",
    "compiled",
    "contract",
]
# The tests of a file that are not named as it is.
OWN = {
    "checks": "equations",
    "agents/a2c": "on_policy",
    "agents/agent": "ddpg",
    "agents/her": "her_agent",
    "agents/noisy": "sac",
    "agents/off_policy": "ddpg",
    "agents/ppo": "on_policy",
    "agents/reinforce": "on_policy",
    "display/video": "ddpg",
    "parts/gaussian": "sac",
    "parts/hindsight": "her",
    "parts/history": "ddpg",
    "parts/normalize": "her",
    "parts/returns": "on_policy",
    "parts/rollout": "on_policy",
    "tasks/bits": "goals",
    "tasks/pendulum": "optimal",
    "tasks/team": "on_policy",
}
SECONDS = 120  # for one mutant, by the clock: whoever takes longer has no verdict
TOO_SLOW = "NO VERDICT"


class Mutant(NamedTuple):
    """A slip: code that is to be found in a function by its syntax, and what stands there then."""

    file: str  # in pgcourse, without .py
    where: str  # the qualified name of a function or a class
    old: str  # an expression, or statements
    new: str | None  # None: the statements are left out
    count: int = 1  # how often it stands there


# Not here, for nothing changes:
# - `no_grad` around the slow copies or around the demonstrated action's value, and the slow copies'
#   `requires_grad_(False)`. td_target and the filter's comparison carry no gradient, and no
#   optimizer holds the copies.
# - α not detached in the loss of SAC's actor, or not in its target. `descend` asks for the
#   gradients of one learner's own weights, as does the compiled update, and td_target has none.
#   So too the log-density not detached in the temperature's loss: that one is here since it is a
#   promise of the equation, and only that one's own tests can kill it.
# - TD3's target noise from the batch's other column: one standard normal is as good as another.
# - `terminated` left out in HERAgent: nothing ends there.
MUTANTS = {
    "stops by what it learned from": Mutant(
        "agents/clone", "Clone.look",
        "held_out < min(self.history.losses.get('held_out', [np.inf]))",
        "all_rows < min(self.history.losses.get('all', [np.inf]))",
    ),
    "acts with the last weights": Mutant(
        "agents/clone", "Clone.__init__", "slow_copy(self.actor)", "self.actor",
    ),
    "learns from what is held out": Mutant(
        "agents/clone", "split_episodes", "(k in away) == out", "True",
    ),
    "sees the achieved goal": Mutant(
        "agents/clone", "Clone.seen", "[state, goal]", "[state, _]",
    ),
    "soft filter turned round": Mutant(
        "parts/equations", "soft_filter", "demo_q - policy_q", "policy_q - demo_q",
    ),
    "soft filter with a gradient": Mutant(
        "parts/equations", "soft_filter", "(demo_q - policy_q).detach()", "demo_q - policy_q",
    ),
    "pretraining is filtered": Mutant(
        "agents/bc", "BCAgent.learn_from_demos", "(self.q_filter, False)", "(self.q_filter,) * 2",
    ),
    "prioritised: old rows of the demonstrations are overwritten": Mutant(
        "parts/prioritized", "PrioritizedBuffer.keep", "self.permanent = more", None,
    ),
    "prioritised: the seam between demonstrations is not seen": Mutant(
        "parts/prioritized", "PrioritizedBuffer.keep", "self.cut()", None,
    ),
    "prioritised: windows reach over the newest row": Mutant(
        "parts/prioritized", "PrioritizedBuffer.n_step",
        "self.last[window] | (window == self.row_of(self.stored - 1))", "self.last[window]",
    ),
    "prioritised: windows wrap around to the demonstrations": Mutant(
        "parts/prioritized", "PrioritizedBuffer.n_step",
        "self.row_of(self.permanent + window[over] - self.size)", "window[over] % self.size",
    ),
    "prioritised: gamma to the n for shorter rows, too": Mutant(
        "parts/prioritized", "PrioritizedBuffer.n_step", "self.gamma ** steps",
        "self.gamma ** np.full(len(rows), self.n)",
    ),
    "prioritised: rewards are not discounted": Mutant(
        "parts/prioritized", "PrioritizedBuffer.n_step",
        "inside * self.gamma ** np.arange(self.n)", "inside",
    ),
    "prioritised: a new row keeps the last one's end": Mutant(
        "parts/prioritized", "PrioritizedBuffer._write", "self.last[at] = row[-1]",
        "self.last[at] |= row[-1]",
    ),
    "prioritised: a new row gets priority 1": Mutant(
        "parts/prioritized", "PrioritizedBuffer._write",
        "self.share[:len(self)].max() if self.stored else 1.0", "1.0",
    ),
    "prioritised: alpha left out": Mutant(
        "parts/prioritized", "PrioritizedBuffer.update_priorities",
        "priority.astype(np.float64) ** self.alpha", "priority",
    ),
    "prioritised: the first row of the ring is a demonstration": Mutant(
        "parts/prioritized", "PrioritizedBuffer.sample_batch", "rows < self.permanent",
        "rows <= self.permanent",
    ),
    "prioritised: weights turned round": Mutant(
        "parts/prioritized", "importance_weights", "ratio ** -beta", "ratio ** beta",
    ),
    "prioritised: the error's sign counts": Mutant(
        "parts/prioritized", "priority", "td_error ** 2", "td_error",
    ),
    "prioritised: every row gets the demonstrations' bonus": Mutant(
        "parts/prioritized", "priority", "epsilon_demo * demo", "epsilon_demo",
    ),
    "prioritised: bootstrap behind a true end": Mutant(
        "parts/prioritized", "n_step_target",
        "n_reward + n_discount * (1.0 - n_terminated) * next_q", "n_reward + n_discount * next_q",
    ),
    "prioritised: the loss is not weighted": Mutant(
        "parts/prioritized", "weighted_critic_loss", "weight * (q - target) ** 2",
        "(q - target) ** 2",
    ),
    "biases escape L2": Mutant(
        "parts/equations", "l2_penalty", "network.parameters()",
        "(each for each in network.parameters() if each.ndim > 1)",
    ),
    "DDPGfD: windows reach into the next episode": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.reset", "self.memory.cut()", None,
    ),
    "DDPGfD: priorities stay what they were": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.update_model",
        "self.memory.update_priorities(self.priorities(batch))", None,
    ),
    "DDPGfD: priorities of the error before rewards": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.priorities", "q - self.target(batch)", "q",
    ),
    "DDPGfD: the value itself instead of its slope": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.priorities",
        "slope, batch.demo, self.slope_weight, self.epsilon, self.epsilon_demo",
        "q.detach()[:, None], batch.demo, self.slope_weight, self.epsilon, self.epsilon_demo",
    ),
    "DDPGfD: the n-step target looks one step ahead": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.critic_objective",
        "self.critic_target(batch.n_next_obs, self.actor_target(batch.n_next_obs))",
        "self.critic_target(batch.next_obs, self.actor_target(batch.next_obs))",
    ),
    "DDPGfD: lambda1 left out": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.critic_objective", "self.n_weight * many", "many",
    ),
    "DDPGfD: the critic without L2": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.critic_objective",
        "one + self.n_weight * many + self.l2 * l2_penalty(self.critic)",
        "one + self.n_weight * many",
    ),
    "DDPGfD: the actor is not weighted": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.actor_objective",
        "batch.weight * self.critic(batch.obs, self.actor(batch.obs))",
        "self.critic(batch.obs, self.actor(batch.obs))",
    ),
    "DDPGfD: L2 of the wrong network": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.actor_objective", "l2_penalty(self.actor)",
        "l2_penalty(self.critic)",
    ),
    "DDPGfD: pretraining goes on": Mutant(
        "agents/ddpgfd", "DDPGfDAgent.learn_from_demos",
        "self.total_steps == 0 and self.updates < updates", "self.updates < updates",
    ),
    "one update a step, whatever is asked": Mutant(
        "agents/off_policy", "OffPolicyAgent.learn",
        "self.updates_per_step * (len(self.memory) >= self.batch_size)",
        "1 * (len(self.memory) >= self.batch_size)",
    ),
    # The parts
    "goals from the step's own start": Mutant(
        "parts/hindsight", "HindsightBuffer.sample_batch",
        "self.rng.integers(step + 1, later + 1)", "self.rng.integers(step, later + 1)",
    ),
    "goals never from the end": Mutant(
        "parts/hindsight", "HindsightBuffer.sample_batch",
        "self.rng.integers(step + 1, later + 1)",
        "self.rng.integers(step + 1, np.maximum(later, step + 2))",
    ),
    "reward for the place left": Mutant(
        "parts/hindsight", "HindsightBuffer.sample_batch",
        "self.achieved[row, step + 1]", "self.achieved[row, step]",
    ),
    "next_obs keeps the wanted goal": Mutant(
        "parts/hindsight", "HindsightBuffer.sample_batch",
        "[self.obs[row, step + 1], goal]", "[self.obs[row, step + 1], self.goal[row]]",
    ),
    "every goal relabelled": Mutant(
        "parts/hindsight", "HindsightBuffer.sample_batch", "self.relabel", "1.0",
    ),
    "deviation not kept from zero": Mutant(
        "parts/normalize", "Normalizer.deviation",
        "np.maximum(np.sqrt(self.squares / max(self.count, 1)), self.least)",
        "np.sqrt(self.squares / max(self.count, 1))",
    ),
    "biased noise": Mutant(
        "parts/noise", "OUNoise.sample",
        "self.rng.standard_normal(self.size)", "self.rng.random(self.size)",
    ),
    "noise not scaled by sigma": Mutant(
        "parts/noise", "OUNoise.sample",
        "self.sigma * self.rng.standard_normal(self.size)",
        "self.rng.standard_normal(self.size)",
    ),
    "noise pulled away from mu": Mutant(
        "parts/noise", "OUNoise.sample", "self.mu - self.state", "self.state - self.mu",
    ),
    "one push for all dimensions": Mutant(
        "parts/noise", "OUNoise.sample",
        "self.rng.standard_normal(self.size)", "self.rng.standard_normal()",
    ),
    "noise changed in place": Mutant(
        "parts/noise", "OUNoise.sample",
        "self.state = self.state + self.theta * (self.mu - self.state) + push\n"
        "return self.state.copy()",
        "self.state += self.theta * (self.mu - self.state) + push\nreturn self.state",
    ),
    "rewards and ends stored as columns": Mutant(
        "parts/buffer", "ReplayBuffer.__init__", "(size,)", "(size, 1)", 2,
    ),
    "wrap-around off by one": Mutant(
        "parts/buffer", "ReplayBuffer._write",
        "self.stored % self.size", "self.stored % (self.size + 1) - 1",
    ),
    "newest dropped when full": Mutant(
        "parts/buffer", "ReplayBuffer._write",
        "self.stored % self.size", "min(self.stored, self.size - 1)",
    ),
    "sampling past the filled part": Mutant(
        "parts/buffer", "ReplayBuffer.sample_batch", "len(self)", "self.size",
    ),
    "newest row never sampled": Mutant(
        "parts/buffer", "ReplayBuffer.sample_batch", "len(self)", "max(len(self) - 1, 1)",
    ),
    "sampling by permutation": Mutant(
        "parts/buffer", "ReplayBuffer.sample_batch",
        "self.rng.integers(len(self), size=self.batch_size)",
        "self.rng.permutation(len(self))[: self.batch_size]",
    ),
    "rows left out of a checkpoint": Mutant(
        "parts/buffer", "ReplayBuffer", "kept = ('stored', 'rows', 'rng')", "kept = ('rng',)",
    ),
    "a buffer's stream left out of a checkpoint": Mutant(
        "parts/hindsight", "HindsightBuffer",
        "kept = ('stored', 'rows', 'rng')", "kept = ('stored', 'rows')",
    ),
    "mean left out of a checkpoint": Mutant(
        "parts/normalize", "Normalizer",
        "kept = ('count', 'mean', 'squares')", "kept = ('count', 'squares')",
    ),
    "demonstrations drawn as another seed's rows": Mutant(
        "agents/bc", "BCAgent.__init__", "self.stream_seed('demo')", "self.stream_seed('memory')",
    ),
    "HER: demonstrations drawn as its own rows": Mutant(
        "agents/her", "HERAgent.__init__", "self.stream_seed('demo')", "self.stream_seed('memory')",
    ),
    "one seed for all streams": Mutant(
        "parts/seeding", "stream_seed", "words[STREAMS.index(name)]", "words[0]",
    ),
    "a loss that is not finite passes": Mutant(
        "parts/history", "History.read", "math.isfinite(value)", "True",
    ),
    "critic returns (B, 1)": Mutant(
        "parts/networks", "Critic.forward",
        "self.net(torch.cat([obs, action], dim=-1)).squeeze(-1)",
        "self.net(torch.cat([obs, action], dim=-1))",
    ),
    "actor without tanh": Mutant(
        "parts/networks", "Actor.forward", "torch.tanh(self.net(obs))", "self.net(obs)",
    ),
    "drawing actor without tanh": Mutant(
        "parts/gaussian", "GaussianActor.forward",
        "torch.tanh(self.gaussian(obs)[0])", "self.gaussian(obs)[0]",
    ),
    "deviation of draws not bounded": Mutant(
        "parts/gaussian", "GaussianActor.gaussian", "log_std.clamp(*self.LOG_STD)", "log_std",
    ),
    "temperature may turn negative": Mutant(
        "parts/gaussian", "Temperature.forward", "self.log_alpha.exp()", "self.log_alpha + 1.0",
    ),
    "last layer starts large": Mutant(
        "parts/networks", "mlp", "nn.init.uniform_(last.weight, -init_w, init_w)", None,
    ),
    "slow copies share the weights": Mutant(
        "parts/networks", "slow_copy", "copy.deepcopy(network).requires_grad_(False)", "network",
    ),
    # The equations
    "shapes not checked": Mutant("checks", "arguments.check", "len(found) != len(want)", "False"),
    "a letter is any size": Mutant(
        "checks", "arguments.check", "letters.setdefault(letter, size) != size", "False",
    ),
    "critic loss broadcasts its target": Mutant(
        "parts/equations", "critic_loss", "arguments(q='B', target='B')", "arguments(q='B')",
    ),
    "terminated bootstraps": Mutant(
        "parts/equations", "td_target",
        "gamma * (1.0 - terminated) * next_q", "gamma * next_q",
    ),
    "discount left out": Mutant(
        "parts/equations", "td_target", "gamma * (1.0 - terminated)", "(1.0 - terminated)",
    ),
    "missing stop-gradient": Mutant(
        "parts/equations", "td_target",
        "(reward + gamma * (1.0 - terminated) * next_q).detach()",
        "reward + gamma * (1.0 - terminated) * next_q",
    ),
    "targets not clipped from above": Mutant(
        "parts/equations", "clip_target",
        "target.clamp(-1.0 / (1.0 - gamma), 0.0)", "target.clamp(-1.0 / (1.0 - gamma))",
    ),
    "tau swapped with 1 - tau": Mutant(
        "parts/equations", "soft_update",
        "torch._foreach_lerp_(slow, fast, tau)", "torch._foreach_lerp_(slow, fast, 1 - tau)",
    ),
    "actor loss sign": Mutant("parts/equations", "actor_loss", "-q.mean()", "q.mean()"),
    "critic loss not squared": Mutant(
        "parts/equations", "critic_loss",
        "((q - target) ** 2).mean()", "(q - target).abs().mean()",
    ),
    "maximum of the twins": Mutant(
        "parts/equations", "twin_minimum", "torch.minimum(q1, q2)", "torch.maximum(q1, q2)",
    ),
    "noise of the target not clipped": Mutant(
        "parts/equations", "smoothed_action", "noise.clamp(-clip, clip)", "noise",
    ),
    "smoothed action not clipped": Mutant(
        "parts/equations", "smoothed_action",
        "(action + noise.clamp(-clip, clip)).clamp(-1.0, 1.0)",
        "action + noise.clamp(-clip, clip)",
    ),
    "density without the tanh": Mutant(
        "parts/gaussian", "squashed_gaussian", "log_density - log_slope", "log_density",
    ),
    "density without the normal's constant": Mutant(
        "parts/gaussian", "squashed_gaussian",
        "-0.5 * noise**2 - log_std - 0.5 * math.log(2.0 * math.pi)",
        "-0.5 * noise**2 - log_std",
    ),
    "density without the deviation": Mutant(
        "parts/gaussian", "squashed_gaussian",
        "-0.5 * noise**2 - log_std", "-0.5 * noise**2",
    ),
    "density summed over the batch": Mutant(
        "parts/gaussian", "squashed_gaussian",
        "(log_density - log_slope).sum(dim=1)",
        "(log_density - log_slope).sum(dim=0)",
    ),
    "density of the mean over the dimensions": Mutant(
        "parts/gaussian", "squashed_gaussian",
        "(log_density - log_slope).sum(dim=1)",
        "(log_density - log_slope).mean(dim=1)",
    ),
    "draws with the deviation's logarithm": Mutant(
        "parts/gaussian", "squashed_gaussian", "log_std.exp() * noise", "log_std * noise",
    ),
    "entropy's share with the wrong sign": Mutant(
        "parts/gaussian", "soft_value", "q - alpha * log_density", "q + alpha * log_density",
    ),
    "temperature's sign": Mutant(
        "parts/gaussian", "temperature_loss",
        "-(alpha * (log_density.detach() + target_entropy)).mean()",
        "(alpha * (log_density.detach() + target_entropy)).mean()",
    ),
    "temperature's gradient reaches the log-density": Mutant(
        "parts/gaussian", "temperature_loss", "log_density.detach()", "log_density",
    ),
    "target entropy's sign in the loss": Mutant(
        "parts/gaussian", "temperature_loss",
        "log_density.detach() + target_entropy", "log_density.detach() - target_entropy",
    ),
    "mean over the dimensions of an action": Mutant(
        "parts/equations", "bc_loss",
        "((action - demo_action) ** 2).sum(dim=1)", "((action - demo_action) ** 2).mean(dim=1)",
    ),
    "divided by the rows that pass": Mutant(
        "parts/equations", "bc_loss", "len(mask)", "mask.sum()",
    ),
    "Q-filter inverted": Mutant(
        "parts/equations", "q_filter", "demo_q > policy_q", "demo_q < policy_q",
    ),
    "Q-filter carrying gradient": Mutant(
        "parts/equations", "q_filter",
        "(demo_q > policy_q).float()", "torch.sigmoid(100 * (demo_q - policy_q))",
    ),
    # The frame of all agents
    "truncated cuts the bootstrap": Mutant(
        "agents/agent", "Agent.step",
        "self.remember(action, reward, next_obs, terminated)",
        "self.remember(action, reward, next_obs, terminated or truncated)",
    ),
    "state never advances": Mutant(
        "agents/agent", "Agent.step", "self.obs = np.array(next_obs)", None,
    ),
    "score not reset": Mutant("agents/agent", "Agent.reset", "self.score = 0.0", None),
    "every reset with one seed": Mutant(
        "agents/agent", "Agent.reset", "self.reset_seed = None", None,
    ),
    "a stream left out of the state": Mutant(
        "agents/agent", "Agent.streams", "isinstance(v, np.random.Generator)", "k == 'rng'",
    ),
    "warm-up saturates": Mutant(
        "agents/agent", "Agent.select_action",
        "self.rng.uniform(-1.0, 1.0, self.act_dim)",
        "self.rng.uniform(-2.0, 2.0, self.act_dim).clip(-1.0, 1.0)",
    ),
    "warm-up on half of the range": Mutant(
        "agents/agent", "Agent.select_action",
        "self.rng.uniform(-1.0, 1.0, self.act_dim)", "self.rng.uniform(0.0, 1.0, self.act_dim)",
    ),
    "warm-up with one number for all dimensions": Mutant(
        "agents/agent", "Agent.select_action",
        "self.rng.uniform(-1.0, 1.0, self.act_dim)",
        "np.full(self.act_dim, self.rng.uniform(-1.0, 1.0))",
    ),
    "warm-up one step too long": Mutant(
        "agents/agent", "Agent.select_action",
        "self.total_steps < self.initial_random_steps",
        "self.total_steps <= self.initial_random_steps",
    ),
    "warm-up never ends": Mutant(
        "agents/agent", "Agent.select_action",
        "self.total_steps < self.initial_random_steps", "self.initial_random_steps",
    ),
    "no learning during warm-up": Mutant(
        "agents/off_policy", "OffPolicyAgent.learn",
        "len(self.memory) >= self.batch_size", "self.total_steps > self.initial_random_steps",
    ),
    "noise not reset": Mutant(
        "agents/off_policy", "OffPolicyAgent.reset", "self.noise.reset()", None,
    ),
    "noise left out": Mutant(
        "agents/off_policy", "OffPolicyAgent.explore",
        "self.policy(obs) + self.noise.sample()", "self.policy(obs)",
    ),
    "noise added after the clip": Mutant(
        "agents/off_policy", "OffPolicyAgent.explore",
        "np.clip(action, -1.0, 1.0)",
        "(np.clip(self.policy(obs), -1.0, 1.0) + action - self.policy(obs))",
    ),
    "explores with the slow actor": Mutant(
        "agents/off_policy", "OffPolicyAgent.policy", "self.actor(rows)", "self.actor_target(rows)",
    ),
    "next state stored twice": Mutant(
        "agents/off_policy", "OffPolicyAgent.remember", "self.obs", "next_obs",
    ),
    "global random stream": Mutant(
        "parts/seeding", "seeded_weights", "torch.manual_seed(seed)", None,
    ),
    "learning rates swapped": Mutant(
        "agents/off_policy", "OffPolicyAgent.__init__",
        "self.actor_lr = checks.real('actor_lr', actor_lr, 0.0)\n"
        "self.critic_lr = checks.real('critic_lr', critic_lr, 0.0)",
        "self.actor_lr = checks.real('actor_lr', critic_lr, 0.0)\n"
        "self.critic_lr = checks.real('critic_lr', actor_lr, 0.0)",
    ),
    "slow copies never updated": Mutant(
        "agents/off_policy", "OffPolicyAgent.update",
        "soft_update(each.slow, each.network, self.tau)", None,
    ),
    "networks follow their slow copies": Mutant(
        "agents/off_policy", "OffPolicyAgent.update",
        "soft_update(each.slow, each.network, self.tau)",
        "soft_update(each.network, each.slow, self.tau)",
    ),
    "everybody's turn in each update": Mutant(
        "agents/off_policy", "OffPolicyAgent.update",
        "self.updates % each.every == 0", "True", 2,
    ),
    "updates not counted": Mutant(
        "agents/off_policy", "OffPolicyAgent.update_model", "self.updates += 1", None,
    ),
    "gradients pile up": Mutant(
        "agents/off_policy", "descend",
        "weight.grad = grad",
        "weight.grad = grad + (0 if weight.grad is None else weight.grad)",
    ),
    "other networks keep a loss's gradient": Mutant(
        "agents/off_policy", "OffPolicyAgent.update",
        "descend(each, loss)", "loss.backward()\neach.optimizer.step()",
    ),
    "draws from no seed": Mutant(
        "agents/noisy", "NoisyAgent.__init__",
        "np.random.default_rng(self.stream_seed('draws'))", "np.random.default_rng()",
    ),
    "draws that are not normal": Mutant(
        "agents/noisy", "NoisyAgent.sample",
        "self.draws.standard_normal((2, self.batch_size, self.act_dim), dtype=np.float32)",
        "self.draws.random((2, self.batch_size, self.act_dim), dtype=np.float32)",
    ),
    # TD3
    "TD3: delay ignored": Mutant("agents/td3", "TD3Agent.build", "self.delay", "1", 3),
    "TD3: actor not delayed": Mutant(
        "agents/td3", "TD3Agent.build",
        "self.learner(self.actor, self.actor_lr, actors_loss, self.delay)",
        "self.learner(self.actor, self.actor_lr, actors_loss)",
    ),
    "TD3: slow actor not delayed": Mutant(
        "agents/td3", "TD3Agent.build",
        "Follower(self.actor_target, self.actor, self.delay)",
        "Follower(self.actor_target, self.actor)",
    ),
    "TD3: slow critics not delayed": Mutant(
        "agents/td3", "TD3Agent.build",
        "Follower(self.critics_target, self.critics, self.delay)",
        "Follower(self.critics_target, self.critics)",
    ),
    "TD3: target noise not scaled": Mutant(
        "agents/td3", "TD3Agent.critic_objective",
        "self.target_sigma * batch.next_noise", "batch.next_noise",
    ),
    "TD3: target action not smoothed": Mutant(
        "agents/td3", "TD3Agent.critic_objective",
        "smoothed_action(self.actor_target(next_obs), noise, self.target_clip)",
        "self.actor_target(next_obs)",
    ),
    # SAC
    "SAC: explores without noise": Mutant(
        "agents/sac", "SACAgent.explore",
        "mean + np.exp(log_std) * self.noise.sample()", "mean",
    ),
    "SAC: explores with the deviation's logarithm": Mutant(
        "agents/sac", "SACAgent.explore", "np.exp(log_std)", "log_std",
    ),
    "SAC: explores without tanh": Mutant(
        "agents/sac", "SACAgent.explore",
        "np.tanh(mean + np.exp(log_std) * self.noise.sample())",
        "np.clip(mean + np.exp(log_std) * self.noise.sample(), -1.0, 1.0)",
    ),
    "SAC: draws with the small noise of others": Mutant(
        "agents/sac", "SACAgent.__init__",
        "{} if len(args) > 3 else {'ou_noise_sigma': 1.0}", "{}",
    ),
    "SAC: target entropy's sign": Mutant(
        "agents/sac", "SACAgent.__init__", "-self.act_dim", "self.act_dim",
    ),
    "SAC: temperature never learned": Mutant(
        "agents/sac", "SACAgent.build",
        "self.learner(self.temperature, rate, temperatures_loss)",
        "self.learner(self.temperature, 0.0, temperatures_loss)",
    ),
    "SAC: target without entropy": Mutant(
        "agents/sac", "SACAgent.critic_objective",
        "soft_value(next_q, log_density, self.temperature())", "next_q",
    ),
    "SAC: actor's loss without entropy": Mutant(
        "agents/sac", "SACAgent.actor_objective",
        "soft_value(q, log_density, alpha)", "q",
    ),
    "SAC: actor judged by one critic": Mutant(
        "agents/sac", "SACAgent.actor_objective",
        "twin_minimum(*(critic(batch.obs, action) for critic in self.critics))",
        "self.critics[0](batch.obs, action)",
    ),
    # BC, and what HER shares with it
    "BC: only the last demonstrations kept": Mutant(
        "agents/bc", "BCAgent.__init__",
        "ReplayBuffer(self.obs_dim, self.act_dim, len(demo), demo_batch_size, stream)",
        "ReplayBuffer(self.obs_dim, self.act_dim, demo_batch_size, demo_batch_size, stream)",
    ),
    "BC: demonstrations left out of the critic": Mutant(
        "agents/bc", "BCAgent.sample",
        "Batch(*map(torch.cat, zip(replayed, demo, strict=True)))", "replayed",
    ),
    "BC: clones the replayed rows": Mutant(
        "agents/bc", "BCAgent.sample",
        "zip(replayed, demo, strict=True)", "zip(demo, replayed, strict=True)",
    ),
    "BC: demonstrations left out of the policy gradient": Mutant(
        "agents/bc", "BCAgent.actor_objective",
        "actor_loss(q)", "actor_loss(q[: -self.demo_batch_size])",
    ),
    "BC: lambda1 left out": Mutant(
        "agents/bc", "BCAgent.actor_objective", "self.lambda1 * actor_loss(q)", "actor_loss(q)",
    ),
    "clones all rows": Mutant("agents/bc", "cloning", "-n", "-len(q)", 5),
    "Q-filter cannot be switched off": Mutant("agents/bc", "cloning", "filtered", "True"),
    # HER
    "HER: the networks see the achieved goal": Mutant(
        "agents/her", "HERAgent.policy",
        "state, _, goal = split_obs(obs, self.goal_dim)",
        "state, goal, _ = split_obs(obs, self.goal_dim)",
    ),
    "HER: penalty without lambda1": Mutant(
        "agents/her", "HERAgent.actor_objective",
        "self.lambda1 * (actor_loss(q) + self.action_penalty * (action**2).mean())",
        "self.lambda1 * actor_loss(q) + self.action_penalty * (action**2).mean()",
    ),
    "HER: the normalizer sees wanted goals only": Mutant(
        "agents/her", "HERAgent.store_episode", "(goal, achieved)", "(goal,)",
    ),
    "HER: targets not clipped": Mutant(
        "agents/her", "HERAgent.critic_objective", "self.clipped", "False",
    ),
    "HER: demonstrations left out of the critic": Mutant(
        "agents/her", "HERAgent.sample",
        "batch = Batch(*map(np.concatenate, zip(batch, demo, strict=True)))", None,
    ),
    "HER: clones the replayed rows": Mutant(
        "agents/her", "HERAgent.sample",
        "zip(batch, demo, strict=True)", "zip(demo, batch, strict=True)",
    ),
    "the last layer starts as large as the others": Mutant(
        "parts/networks", "tanh_mlp", "checks.real('gain', gain, 0.0) if last else 2.0 ** 0.5",
        "2.0 ** 0.5",
    ),
    "units of a policy are ReLU": Mutant(
        "parts/networks", "tanh_mlp", "mlp(in_dim, out_dim, 0.0, hidden, nn.Tanh)",
        "mlp(in_dim, out_dim, 0.0, hidden)",
    ),
    # Returns, advantages, densities
    "returns: a time limit cuts the bootstrap": Mutant(
        "parts/returns", "discounted_returns",
        "gamma * (1.0 - terminated) * (1.0 - goes_on) * next_value",
        "gamma * 0.0 * next_value",
    ),
    "returns: nothing stands for what follows the last row": Mutant(
        "parts/returns", "discounted_returns", "next_value[-1:]", "0.0 * next_value[-1:]",
    ),
    "returns: an end is stepped over": Mutant(
        "parts/returns", "discounted_returns",
        "(1.0 - terminated) * (1.0 - truncated)", "(1.0 - terminated)",
    ),
    "GAE: a time limit cuts the bootstrap": Mutant(
        "parts/returns", "gae",
        "gamma * (1.0 - terminated) * next_value",
        "gamma * (1.0 - terminated) * (1.0 - truncated) * next_value",
    ),
    "GAE: a true end bootstraps": Mutant(
        "parts/returns", "gae", "gamma * (1.0 - terminated) * next_value", "gamma * next_value",
    ),
    "GAE: a time limit is stepped over": Mutant(
        "parts/returns", "gae",
        "gamma * lam * (1.0 - terminated) * (1.0 - truncated)", "gamma * lam * (1.0 - terminated)",
    ),
    "GAE: without gamma": Mutant("parts/returns", "gae", "gamma * lam", "lam"),
    "GAE: in the order of time": Mutant("parts/returns", "backwards", "found[:0:-1]", "found[1:]"),
    "advantages not centred": Mutant(
        "parts/returns", "normalized", "advantage - advantage.mean()", "advantage",
    ),
    "log-density: variance for deviation": Mutant(
        "parts/returns", "gaussian_log_density", "(-log_std).exp()", "(-2.0 * log_std).exp()",
    ),
    "log-density: without the deviation": Mutant(
        "parts/returns", "gaussian_log_density", "-0.5 * z**2 - log_std", "-0.5 * z**2",
    ),
    "policy gradient: wrong sign": Mutant(
        "parts/returns", "policy_gradient_loss",
        "-(log_density * advantage.detach()).mean()", "(log_density * advantage.detach()).mean()",
    ),
    "policy gradient: through the advantage": Mutant(
        "parts/returns", "policy_gradient_loss", "advantage.detach()", "advantage",
    ),
    "clip: maximum": Mutant(
        "parts/returns", "clipped_objective", "torch.minimum", "torch.maximum",
    ),
    "clip: the clipped ratio alone": Mutant(
        "parts/returns", "clipped_objective",
        "torch.minimum(ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage)",
        "ratio.clamp(1.0 - clip, 1.0 + clip) * advantage",
    ),
    "clip: ratio turned round": Mutant(
        "parts/returns", "clipped_objective",
        "log_density - old_log_density.detach()", "old_log_density.detach() - log_density",
    ),
    "divergence: sign of its logarithm": Mutant(
        "parts/returns", "kl_estimate", "log_ratio.exp() - 1.0 - log_ratio", "-log_ratio",
    ),
    # Rollouts and teams
    "a rollout keeps the arrays of others": Mutant(
        "parts/rollout", "Rollout.add", "checks.vector(*column).copy()", "checks.vector(*column)",
    ),
    "a rollout whose columns differ": Mutant(
        "parts/rollout", "Rollout.load_state_dict",
        "{len(column) for column in columns} != {state['count']}", "False",
    ),
    "team: waiting is stepping": Mutant("tasks/team", "Replayed.step", "self.waits", "False"),
    "team: actions of the last episode kept": Mutant(
        "tasks/team", "Replayed.reset",
        "rng.bit_generator.state, [], 0.0", "rng.bit_generator.state, self.actions, 0.0",
    ),
    "team: score of the last episode kept": Mutant(
        "tasks/team", "Replayed.reset",
        "rng.bit_generator.state, [], 0.0", "rng.bit_generator.state, [], self.score",
    ),
    "team: stream of the episode's end": Mutant(
        "tasks/team", "Replayed.state_dict",
        "self.unwrapped.np_random.bit_generator.state if self.start is None else self.start",
        "self.unwrapped.np_random.bit_generator.state",
    ),
    "team: nobody waits after loading": Mutant(
        "tasks/team", "Replayed.load_state_dict", "bool(state['waits'])", "False",
    ),
    # The frame of on-policy agents
    "on-policy: the obs left for the one reached": Mutant(
        "agents/on_policy", "OnPolicyAgent.step",
        "self.rollout.add(self.obs, action, found[1], found[0], *found[2:], live)",
        "self.rollout.add(self.obs, action, found[1], self.obs, *found[2:], live)",
    ),
    "on-policy: terminated and truncated swapped": Mutant(
        "agents/on_policy", "OnPolicyAgent.step", "*found[2:]", "*found[:1:-1]",
    ),
    "on-policy: waiting counts": Mutant(
        "agents/on_policy", "OnPolicyAgent.step", "int(live.sum())", "len(live)",
    ),
    "on-policy: clipped actions are learned from": Mutant(
        "agents/on_policy", "OnPolicyAgent.step",
        "checks.vector('action', action, self.rollout.shapes.action)",
        "np.clip(checks.vector('action', action, self.rollout.shapes.action), -1.0, 1.0)",
    ),
    "on-policy: one start for all environments": Mutant(
        "agents/on_policy", "OnPolicyAgent.reset",
        "[int(word) for word in words]", "[int(words[0]) for word in words]",
    ),
    "on-policy: old rollouts are kept": Mutant(
        "agents/on_policy", "OnPolicyAgent.learn", "self.rollout.clear()", None,
    ),
    "on-policy: explores with the deviation's logarithm": Mutant(
        "agents/on_policy", "OnPolicyAgent.explore",
        "self.actor.log_std.detach().exp()", "self.actor.log_std.detach()",
    ),
    "on-policy: waiting rows are learned from": Mutant(
        "agents/on_policy", "OnPolicyAgent.sample",
        "steps.live.bool()", "torch.ones_like(steps.live).bool()",
    ),
    "on-policy: rewards not scaled": Mutant(
        "agents/on_policy", "OnPolicyAgent.estimates",
        "self.reward_scale * steps.reward", "steps.reward",
    ),
    "on-policy: target without the value": Mutant(
        "agents/on_policy", "OnPolicyAgent.estimates", "advantage + value", "advantage",
    ),
    "on-policy: learning rates swapped": Mutant(
        "agents/on_policy", "OnPolicyAgent.update_model",
        "(self.actor_lr, self.critic_lr)", "(self.critic_lr, self.actor_lr)",
    ),
    "on-policy: learning rates below zero": Mutant(
        "agents/on_policy", "OnPolicyAgent.update_model", "max(left, 0.0)", "left",
    ),
    "on-policy: gradients not cut": Mutant(
        "agents/on_policy", "OnPolicyAgent.descend", "self.max_grad_norm is not None", "False",
    ),
    # REINFORCE, A2C, PPO
    "REINFORCE: baseline left out": Mutant(
        "agents/reinforce", "ReinforceAgent.estimates",
        "returns - (self.critic(steps.obs) if self.baseline else zeros)", "returns",
    ),
    "REINFORCE: time limits that cut": Mutant(
        "agents/reinforce", "ReinforceAgent.estimates",
        "self.critic(steps.next_obs) if self.baseline else zeros", "zeros",
    ),
    "REINFORCE: baseline never learned": Mutant(
        "agents/reinforce", "ReinforceAgent.update", "self.critic_steps * self.baseline", "0",
    ),
    "A2C: one step of the value": Mutant(
        "agents/a2c", "A2CAgent.update", "range(self.critic_steps)", "range(1)",
    ),
    "policy gradient: learns from the value's target": Mutant(
        "agents/on_policy", "OnPolicyAgent.actor_objective", "lesson.advantage", "lesson.target",
    ),
    "PPO: ratio to itself": Mutant(
        "agents/ppo", "PPOAgent.actor_objective", "lesson.log_density", "log_density.detach()",
    ),
    "PPO: wrong sign": Mutant(
        "agents/ppo", "PPOAgent.actor_objective",
        "-clipped_objective(log_density, old, lesson.advantage, self.clip).mean()",
        "clipped_objective(log_density, old, lesson.advantage, self.clip).mean()",
    ),
    "PPO: one epoch": Mutant("agents/ppo", "PPOAgent.update", "range(self.epochs)", "range(1)"),
    "PPO: each column in an order of its own": Mutant(
        "agents/ppo", "PPOAgent.update",
        "column[order]", "column[torch.from_numpy(self.shuffles.permutation(len(column)))]",
    ),
    "PPO: never shuffled": Mutant("agents/ppo", "PPOAgent.update", "column[order]", "column"),
    "PPO: the value never learns": Mutant(
        "agents/ppo", "PPOAgent.update",
        "self.descend(Lesson(*minibatch), 'actor', 'critic')",
        "self.descend(Lesson(*minibatch), 'actor')",
    ),
    # The tasks
    "the goal is met by any bit": Mutant(
        "tasks/bits", "BitFlip.compute_reward",
        "(achieved == goal).all(axis=-1)", "(achieved == goal).any(axis=-1)",
    ),
    "action not rescaled": Mutant(
        "tasks/envs", "ActionNormalizer.__init__",
        "super().__init__(env, min_action=-ones, max_action=ones)",
        "super().__init__(env, min_action=env.action_space.low, max_action=env.action_space.high)",
    ),
    "reverse action forgets the shift": Mutant(
        "tasks/envs", "unit_action",
        "2.0 * (np.asarray(action) - space.low) / (space.high - space.low) - 1.0",
        "2.0 * (np.asarray(action) - space.low) / (space.high - space.low)",
    ),
    "time limit lost": Mutant(
        "tasks/envs", "make_env", "gym.make(env, **options)", "gym.make(env, **options).unwrapped",
    ),
    "time limits recorded as ends": Mutant(
        "tasks/demos", "record_demos",
        "(obs, action, reward, next_obs, terminated)",
        "(obs, action, reward, next_obs, terminated or truncated)",
    ),
    "every recorded episode from one state": Mutant(
        "tasks/demos", "record_demos", "None if episode else seed", "seed",
    ),
    "optimum: the angle is not wrapped": Mutant(
        "tasks/pendulum", "dynamics",
        "torch.remainder(angle + velocity * DT + math.pi, 2 * math.pi) - math.pi",
        "angle + velocity * DT",
    ),
    "optimum: the worst torque": Mutant(
        "tasks/pendulum", "optimal_values", "q.amax(dim=1)", "q.amin(dim=1)",
    ),
    "optimum: discount left out": Mutant(
        "tasks/pendulum", "optimal_q",
        "gamma * interpolate(value, angle, velocity)", "interpolate(value, angle, velocity)",
    ),
    "optimum: acts as if the episode had just begun": Mutant(
        "tasks/pendulum", "OptimalAgent.policy", "self.values[self.to_go]", "self.values[-1]",
    ),
    # The runs
    "evaluation with noise": Mutant(
        "runs/evaluation", "evaluate",
        "actions = agent.policy(obs[running])",
        "actions = agent.policy(obs[running])\n"
        "if hasattr(agent, 'noise'):\n"
        "    actions = actions + agent.noise.sample()",
    ),
    "evaluation advances the training stream": Mutant(
        "runs/evaluation", "evaluate",
        "actions = agent.policy(obs[running])",
        "actions = agent.policy(obs[running])\n"
        "if hasattr(agent, 'noise'):\n"
        "    actions = actions + 0.0 * agent.noise.sample()",
    ),
    "evaluation starts from one state": Mutant(
        "runs/evaluation", "evaluate", "env.reset(seed=seed)", "env.reset(seed=seeds[0])",
    ),
    "evaluation in the training environment": Mutant(
        "runs/evaluation", "evaluate",
        "stack.enter_context(closing(make_env(env, **options)))",
        "agent.env if hasattr(agent, 'env') else "
        "stack.enter_context(closing(make_env(env, **options)))",
    ),
    "evaluation stops at the first end": Mutant(
        "runs/evaluation", "evaluate",
        "[i for i in running if i not in ended]", "[] if ended else running",
    ),
    "test episode with noise": Mutant(
        "display/video", "render_episode", "agent.policy(obs)", "agent.select_action(obs)",
    ),
    "compiled: bias not corrected": Mutant(
        "runs/compiled", "adam_state", "seen2**-0.5", "1.0",
    ),
    "compiled: AMSGrad forgets its maximum": Mutant(
        "runs/compiled", "adam_step", "torch.maximum(state['max_exp_avg_sq'], v)", "v",
    ),
    "compiled: moments of a loss that is not finite": Mutant(
        "runs/compiled", "adam_step", "torch.where(allowed, grad, 0.0)", "grad",
    ),
    "compiled: slow copies never updated": Mutant(
        "runs/compiled", "CompiledUpdate.update",
        "soft_update(each.slow, each.network, self.agent.tau)", None,
    ),
    "compiled: everybody's turn in each update": Mutant(
        "runs/compiled", "CompiledUpdate.__call__", "agent.updates % e.every == 0", "True", 2,
    ),
}  # fmt: skip

# The same slip in each agent that has the code: name -> kinds, method, as it is, as it should
# not be. BC's critic is that of DDPG.
IN_EACH = {
    "an episode's end not passed on": (
        "DDPG TD3 SAC", "critic_objective", "batch.terminated", "0.0 * batch.terminated",
    ),
    "critic values the actor's own action": (
        "DDPG HER TD3 SAC", "critic_objective", "batch.action", "self.actor(batch.obs)",
    ),
    "critic sees the next obs": (
        "DDPG HER TD3 SAC", "critic_objective", "batch.obs", "batch.next_obs",
    ),
    "target from the trained critic": (
        "DDPG HER", "critic_objective", "self.critic_target", "self.critic",
    ),
    "target from the trained critics": (
        "TD3 SAC", "critic_objective", "self.critics_target", "self.critics",
    ),
    "target from one critic": (
        "TD3 SAC", "critic_objective",
        "twin_minimum(*(slow(next_obs, action) for slow in self.critics_target))",
        "self.critics_target[0](next_obs, action)",
    ),
    "target from the trained actor": (
        "DDPG HER TD3", "critic_objective", "self.actor_target", "self.actor",
    ),
    "next action for the old obs": (
        "DDPG HER", "critic_objective",
        "self.actor_target(batch.next_obs)", "self.actor_target(batch.obs)",
    ),
    "next action for the old obs, smoothed": (
        "TD3", "critic_objective", "self.actor_target(next_obs)", "self.actor_target(batch.obs)",
    ),
    "next action drawn for the old obs": (
        "SAC", "critic_objective",
        "self.draw(next_obs, batch.next_noise)", "self.draw(batch.obs, batch.next_noise)",
    ),
    "actor judged by the slow critic": (
        "DDPG", "actor_objective",
        "self.critic(batch.obs, self.actor(batch.obs))",
        "self.critic_target(batch.obs, self.actor(batch.obs))",
    ),
    "policy gradient from the slow critic": (
        "BC HER", "actor_objective",
        "self.critic(batch.obs, action)", "self.critic_target(batch.obs, action)",
    ),
    "actor judged by the slow critics": (
        "TD3 SAC", "actor_objective", "self.critics", "self.critics_target",
    ),
    "actor learns at the critic's rate": (
        "DDPG TD3 SAC", "build", "self.actor_lr", "self.critic_lr",
    ),
    "critic stepped by the actor's loss": (
        "DDPG", "build",
        "self.learner(self.actor, self.actor_lr, self.actor_objective)",
        "self.learner(self.critic, self.actor_lr, self.actor_objective)",
    ),
    "critics stepped by the actor's loss": (
        "SAC", "build",
        "self.learner(self.actor, self.actor_lr, self.actor_objective)",
        "self.learner(self.critics, self.actor_lr, self.actor_objective)",
    ),
    # A follower of itself stays where it is.
    "slow actor never updated": (
        "DDPG", "build",
        "Follower(self.actor_target, self.actor)",
        "Follower(self.actor_target, self.actor_target)",
    ),
    "slow critic never updated": (
        "DDPG", "build",
        "Follower(self.critic_target, self.critic)",
        "Follower(self.critic_target, self.critic_target)",
    ),
    "delayed slow actor never updated": (
        "TD3", "build",
        "Follower(self.actor_target, self.actor, self.delay)",
        "Follower(self.actor_target, self.actor_target, self.delay)",
    ),
    "delayed slow critics never updated": (
        "TD3", "build",
        "Follower(self.critics_target, self.critics, self.delay)",
        "Follower(self.critics_target, self.critics_target, self.delay)",
    ),
    "slow critics never updated": (
        "SAC", "build",
        "Follower(self.critics_target, self.critics)",
        "Follower(self.critics_target, self.critics_target)",
    ),
    "slow actor starts from other weights": (
        "DDPG TD3", "build",
        "slow_copy(self.actor)",
        "Actor(self.in_dim, self.act_dim, hidden=self.hidden).requires_grad_(False)",
    ),
    "slow critics start from other weights": (
        "TD3 SAC", "build",
        "slow_copy(self.critics)",
        "slow_copy(nn.ModuleList(Critic(inputs, hidden=self.hidden) for _ in range(2)))",
    ),
    "twin critics are one": (
        "TD3 SAC", "build",
        "nn.ModuleList(Critic(inputs, hidden=hidden) for _ in range(2))",
        "nn.ModuleList([Critic(inputs, hidden=hidden)] * 2)",
    ),
    "Q-filter ignored": ("BC HER", "actor_objective", "self.q_filter", "False"),
    "lambda2 normalised twice": (
        "BC HER", "actor_objective",
        "self.lambda2 * distance", "self.lambda2 / self.demo_batch_size * distance",
    ),
}  # fmt: skip
for _name, (_kinds, _method, _old, _new) in IN_EACH.items():
    for _kind in _kinds.split():
        MUTANTS[f"{_kind}: {_name}"] = Mutant(
            f"agents/{_kind.lower()}", f"{_kind}Agent.{_method}", _old, _new
        )


@functools.cache
def mutated(name: str) -> str:
    """Return a mutant's file as it should not be; ValueError if its code is not found."""
    mutant = MUTANTS[name]
    source = (ROOT / "pgcourse" / f"{mutant.file}.py").read_text(encoding="utf-8")
    try:
        return rewritten(source, *mutant[1:])
    except ValueError as error:
        raise ValueError(f"{name}: {error} in {mutant.file}.py") from None


def rewritten(source: str, where: str, old: str, new: str | None, count: int = 1) -> str:
    """Return source with `old` replaced by `new` in one function or class.

    Syntax trees are compared, so neither line breaks nor parentheses nor places matter.

    Args:
        source: of a module.
        where: the qualified name of a function (its decorators and defaults included) or class.
        old: one expression, or whole statements that follow each other.
        new: likewise; None leaves statements out.
        count: how often `old` must stand there.

    Raises:
        ValueError: there is no such function, or it has `old` another number of times.
    """
    tree = ast.parse(source)
    before, after = ast.parse(old).body, ast.parse("pass" if new is None else new).body
    if all(len(body) == 1 and isinstance(body[0], ast.Expr) for body in (before, after)):
        before, after = [before[0].value], [after[0].value]
    if same(before, after):
        raise ValueError(f"{old!r} would stay what it is")
    node: ast.AST = tree
    for part in where.split("."):
        found = [
            child for child in node.body
            if isinstance(child, ast.FunctionDef | ast.ClassDef) and child.name == part
        ]  # fmt: skip
        if len(found) != 1:
            raise ValueError(f"{where} stands {len(found)} times, not once,")
        node = found[0]
    if (times := exchange(node, before, after)) != count:
        raise ValueError(f"{old!r} stands {times} times, not {count}, in {where}")
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def exchange(node: ast.AST, before: list[ast.AST], after: list[ast.AST]) -> int:
    """Put nodes in the place of those of one shape, anywhere below; return how often."""
    times = 0
    for field, value in ast.iter_fields(node):
        parts = value if isinstance(value, list) else [value]
        kept, i = [], 0
        while i < len(parts):
            if same(parts[i : i + len(before)], before):
                kept += copy.deepcopy(after)
                times, i = times + 1, i + len(before)
                continue
            if isinstance(parts[i], ast.AST):
                times += exchange(parts[i], before, after)
            kept.append(parts[i])
            i += 1
        setattr(node, field, kept if isinstance(value, list) else kept[0])
    return times


def same(some: list, others: list[ast.AST]) -> bool:
    """Are these nodes the same by their syntax alone, whether they are read or written to?"""
    if [type(node) for node in some] != [type(node) for node in others]:
        return False
    return [shape(node) for node in some] == [shape(node) for node in others]


def shape(node: ast.AST) -> str:
    """Describe a node without saying whether it is read or written to."""
    return re.sub(r"(, )?ctx=\w+\(\)", "", ast.dump(node))


def copy_project(folder: Path) -> None:
    """Copy what the unit tests need."""
    for name in ("pgcourse", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("demo.pkl", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)


def python(
    folder: Path, *arguments: str, seconds: float | None = None
) -> subprocess.CompletedProcess:
    """Run Python in a copy of the project, which stands before the installed module."""
    environment = os.environ | {
        "PYTHONPATH": str(folder), "PGCOURSE_AUDIENCE": "nobody", "OMP_NUM_THREADS": "1"
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds,
    )  # fmt: skip


def killer(name: str | None) -> str | None:
    """Return the first test that fails with a mutant, None, or TOO_SLOW.

    Raises:
        RuntimeError: none could run.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder, file = Path(temporary).resolve(), MUTANTS[name][0] if name else ""
        copy_project(folder)
        if name:
            (folder / "pgcourse" / f"{file}.py").write_text(mutated(name), encoding="utf-8")
        else:
            found = python(folder, "-c", "import pgcourse; print(pgcourse.__file__)").stdout.strip()
            print(f"the copy that the tests import: {found}", flush=True)
            if Path(found).parents[1] != folder:
                raise RuntimeError(f"the tests import {found}, not the copy in {folder}")
        # The file's own tests first and alone: they are the quickest to notice, and to start.
        own = OWN.get(file, Path(file).name)
        groups = [[own], [test for test in TESTS if test != own]] if name else [TESTS]
        for group in groups:
            tests = [f"tests/test_{test}.py" for test in group]
            tests = [test for test in tests if (folder / test).exists()]
            options = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
            try:
                done = python(folder, *options, *tests, seconds=SECONDS if name else None)
            except subprocess.TimeoutExpired:
                return TOO_SLOW
            if done.returncode:
                break
    if done.returncode == 0:
        return None
    # An ERROR is a test, or a whole file of them, that the mutant kept from starting.
    lines = [line.partition(" tests/") for line in done.stdout.splitlines()]
    failed = [rest for word, _, rest in lines if word in ("FAILED", "ERROR") and rest]
    if not failed and "ImportError while loading conftest" in done.stderr:
        return "conftest.py"  # its small agents could not be made
    if not failed:
        raise RuntimeError(f"{name}: no test failed, yet pytest did\n{done.stdout[-2_000:]}")
    return failed[0].split(" - ")[0]


def timed(name: str) -> tuple[str, str | None, float]:
    """Return a mutant's name, what `killer` says of it, and the seconds that it took."""
    start = time.monotonic()
    return name, killer(name), time.monotonic() - start


def main(names: list[str]) -> int:
    """Run the mutants named, or all, and print a line for each."""
    if unknown := set(names) - set(MUTANTS):
        print(f"no such mutant: {', '.join(sorted(unknown))}")
        return 1
    try:
        for name in MUTANTS:
            mutated(name)  # a stale one is an error, at once
    except ValueError as error:
        print(error)
        return 1
    if failed := killer(None):
        print(f"the tests fail without a mutant: {failed}")
        return 1
    survived, slow, names = 0, 0, names or list(MUTANTS)
    calls = (delayed(timed)(name) for name in names)
    with parallel_config(backend="threading"):  # each waits for a process of its own
        for name, failed, seconds in Parallel(n_jobs=-1, return_as="generator_unordered")(calls):
            survived, slow = survived + (failed is None), slow + (failed == TOO_SLOW)
            print(f"{name:52s} {failed or 'SURVIVED'}  ({seconds:.0f} s)", flush=True)
    print(f"{len(names) - survived - slow} killed, {survived} survived, {slow} without a verdict")
    return int(survived + slow > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
