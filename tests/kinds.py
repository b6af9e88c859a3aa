"""Every kind of agent, small: a new one joins the contract with one line of KINDS."""

import gymnasium as gym
import numpy as np
import torch
from torch import nn

from pgcourse import (
    A2CAgent,
    BCAgent,
    DDPGAgent,
    DDPGfDAgent,
    HERAgent,
    PPOAgent,
    ReinforceAgent,
    SACAgent,
    TD3Agent,
    record_demos,
    register_bit_flip,
)  # fmt: skip
from pgcourse.agents.on_policy import OnPolicyAgent

STEPS, BITS = 20, 4  # of an episode


def short_pendulum(**options):
    """The pendulum with short episodes: a checkpoint waits for the end of one."""
    return gym.make("Pendulum-v1", max_episode_steps=STEPS, **options)


def pendulum_demo(rows=40):
    rng = np.random.default_rng(0)
    draw = lambda n: rng.uniform(-1, 1, n).tolist()  # noqa: E731
    return [(draw(3), draw(1), -1.0, draw(3), False) for _ in range(rows)]


def solver(obs):
    """Flip the first wrong bit."""
    return (obs[:BITS] != obs[-BITS:]) - np.linspace(0.0, 0.5, BITS)


def bit_demo():
    return record_demos(solver, register_bit_flip(BITS), 5, 0)


SMALL = {"hidden": (16, 16), "initial_random_steps": 30}
TEAM = {"envs": 2, "critic_lr": 1e-3, "decay_steps": 500}
# name: (class, environment, arguments)
KINDS = {
    "DDPG": (DDPGAgent, short_pendulum, {"memory_size": 250, "batch_size": 8}),
    "TD3": (TD3Agent, short_pendulum, {"memory_size": 250, "batch_size": 8}),
    "SAC": (SACAgent, short_pendulum, {"memory_size": 250, "batch_size": 8}),
    "BC": (
        BCAgent, short_pendulum,
        {"memory_size": 250, "batch_size": 8, "demo_batch_size": 4, "demo": pendulum_demo()},
    ),
    "DDPGfD": (
        DDPGfDAgent, short_pendulum,
        {"memory_size": 250, "batch_size": 8, "demo": pendulum_demo(), "n": 3, "pretrain": 0},
    ),
    "HER": (
        HERAgent, register_bit_flip(BITS),
        {"episodes": 20, "batch_size": 8, "demo_batch_size": 4, "demo": bit_demo()},
    ),
    "REINFORCE": (ReinforceAgent, short_pendulum, TEAM | {"baseline": True}),
    "A2C": (A2CAgent, short_pendulum, TEAM),
    "PPO": (PPOAgent, short_pendulum, TEAM | {"steps": 12, "epochs": 2, "batch_size": 9}),
}  # fmt: skip


ON_POLICY = [name for name, (kind, *_) in KINDS.items() if issubclass(kind, OnPolicyAgent)]
OFF_POLICY = [name for name in KINDS if name not in ON_POLICY]


def make(kind, seed=0, env=None, **changes):
    """Return a small agent of a kind."""
    agent_class, own_env, options = KINDS[kind]
    options = SMALL | options | {"seed": seed} | changes
    if kind in ON_POLICY:  # these draw from their policy from the first step on
        del options["initial_random_steps"]
    return agent_class(env or own_env, **options)


def leave_episode(agent):
    """Leave the episode under way, if the agent's state does not hold it."""
    if not isinstance(agent, OnPolicyAgent):
        agent.obs = None


def in_double(agent):
    """Let an agent compute in double precision, in which rounding hides nothing."""
    from pgcourse.agents.off_policy import start_adam

    for network in networks(agent).values():
        network.double()
    for each in agent.learners.values():
        start_adam(each.optimizer)
    agent.to_tensors = lambda b: type(b)(*(torch.from_numpy(c).double() for c in b))
    return agent


def networks(agent):
    """The networks of an agent by name."""
    return {name: n for name, n in vars(agent).items() if isinstance(n, nn.Module)}


def weights(agent):
    """Every weight of every network, in one flat tensor."""
    return torch.cat(
        [p.detach().flatten() for net in networks(agent).values() for p in net.parameters()]
    )


def leaves(tree, path=()):
    """Yield (path, leaf) of a state."""
    if isinstance(tree, dict):
        for key, branch in tree.items():
            yield from leaves(branch, (*path, key))
    else:
        yield path, tree


def digest(agent):
    """A fingerprint of all that training changes."""
    return {
        ".".join(path): leaf.numpy().tobytes() if isinstance(leaf, torch.Tensor) else leaf
        for path, leaf in leaves(agent.state_dict())
    }


def fill(agent, steps=64):
    """Act without learning."""
    for _ in range(steps):
        agent.step(agent.select_action(agent.reset() if agent.obs is None else agent.obs))
    return agent
