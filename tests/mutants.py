"""Break the algorithm on purpose: `python -m tests.mutants [name ...]`.

Each mutant is one realistic slip in a copy of the module. The unit tests must kill it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = [
    "networks",
    "equations",
    "buffer",
    "noise",
    "envs",
    "evaluation",
    "her",
    "goals",
    "her_agent",
    "ddpg",
    "bc",
    "demos",
    "optimal",
    "compiled",
]
SECONDS = 120  # for one mutant; whoever takes longer is not killed

# name: (file, text as it is, text as it should not be)
# Not here, for nothing changes: `no_grad` around the target networks or around the demonstrated
# action's value, and the targets' `requires_grad_(False)`. td_target and the filter's comparison
# carry no gradient, and no optimizer holds the targets.
MUTANTS = {
    "goals from the step's own start": (
        "her", "integers(step + 1, later + 1)", "integers(step, later + 1)",
    ),
    "goals never from the end": (
        "her", "integers(step + 1, later + 1)", "integers(step + 1, np.maximum(later, step + 2))",
    ),
    "reward for the place left": (
        "her", "self.achieved[row, step + 1], goal)", "self.achieved[row, step], goal)",
    ),
    "next_obs keeps the wanted goal": (
        "her", "[self.obs[row, step + 1], goal]", "[self.obs[row, step + 1], self.goal[row]]",
    ),
    "every goal relabelled": ("her", "< self.relabel", "< 1.0"),
    "targets not clipped from above": (
        "equations", "clamp(-1.0 / (1.0 - gamma), 0.0)", "clamp(-1.0 / (1.0 - gamma))",
    ),
    "deviation not kept from zero": (
        "normalize", "np.maximum(np.sqrt(self.squares / max(self.count, 1)), self.least)",
        "np.sqrt(self.squares / max(self.count, 1))",
    ),
    "the networks see the achieved goal": (
        "her_agent", "state, _, goal = split_obs(", "state, goal, _ = split_obs(",
    ),
    "penalty without lambda1": (
        "her_agent", "self.lambda1 * (actor_loss(q) + self.action_penalty * (action**2).mean())",
        "self.lambda1 * actor_loss(q) + self.action_penalty * (action**2).mean()",
    ),
    "the normalizer sees wanted goals only": (
        "her_agent", "for aim in (goal, achieved):", "for aim in (goal,):",
    ),
    "the goal is met by any bit": ("goals", ".all(axis=-1)", ".any(axis=-1)"),
    "biased noise": ("noise", "self.rng.standard_normal(self.size)", "self.rng.random(self.size)"),
    "noise not scaled by sigma": ("noise", "push = self.sigma * ", "push = "),
    "noise pulled away from mu": ("noise", "(self.mu - self.state)", "(self.state - self.mu)"),
    "one push for all dimensions": ("noise", "standard_normal(self.size)", "standard_normal()"),
    "noise changed in place": (
        "noise", "self.state = self.state + self.theta", "self.state += self.theta",
    ),
    "noise not reset": ("ddpg", "        self.noise.reset()\n", ""),
    "noise left out": ("ddpg", "self.policy(obs) + self.noise.sample()", "self.policy(obs)"),
    "noise added after the clip": (
        "ddpg", "np.clip(self.policy(obs) + self.noise.sample(), -1.0, 1.0)",
        "(np.clip(self.policy(obs), -1.0, 1.0) + self.noise.sample())",
    ),
    "explores with the target actor": (
        "ddpg", "return self.actor(rows)", "return self.actor_target(rows)",
    ),
    "truncated cuts the bootstrap": (
        "ddpg", "self.remember(action, reward, next_obs, terminated)\n",
        "self.remember(action, reward, next_obs, terminated or truncated)\n",
    ),
    "terminated bootstraps": ("equations", "gamma * (1.0 - terminated) * next_q", "gamma * next_q"),
    "discount left out": ("equations", "gamma * (1.0 - terminated) *", "(1.0 - terminated) *"),
    "missing stop-gradient": ("equations", "* next_q).detach()", "* next_q)"),
    "target from the trained critic": (
        "ddpg", "self.critic_target(batch.next_obs,", "self.critic(batch.next_obs,",
    ),
    "target from the trained actor": (
        "ddpg", "self.actor_target(batch.next_obs)", "self.actor(batch.next_obs)",
    ),
    "tau swapped with 1 - tau": ("equations", "(slow, fast, tau)", "(slow, fast, 1 - tau)"),
    "actor target never updated": (
        "ddpg", "        soft_update(self.actor_target, self.actor, self.tau)\n", "",
    ),
    "critic target never updated": (
        "ddpg", "        soft_update(self.critic_target, self.critic, self.tau)\n", "",
    ),
    "targets share the weights": (
        "ddpg", "copy.deepcopy(self.critic).requires_grad_(False)", "self.critic",
    ),
    "target starts from other weights": (
        "ddpg", "copy.deepcopy(self.actor).requires_grad_(False)",
        "Actor(self.obs_dim, self.act_dim).requires_grad_(False)",
    ),
    "actor judged by the target critic": (
        "ddpg", "actor_loss(self.critic(batch.obs", "actor_loss(self.critic_target(batch.obs",
    ),
    "learning rates swapped": (
        "ddpg", "actor_lr, critic_lr = 3e-4, 1e-3", "actor_lr, critic_lr = 1e-3, 3e-4",
    ),
    "gradients pile up": (
        "optim", "weight.grad = grad",
        "weight.grad = grad + (0 if weight.grad is None else weight.grad)",
    ),
    "actor loss sign": ("equations", "return -q.mean()", "return q.mean()"),
    "critic loss not squared": (
        "equations", "((q - target) ** 2).mean()", "(q - target).abs().mean()",
    ),
    "critic returns (B, 1)": ("networks", ".squeeze(-1)", ""),
    "shapes not checked": ("equations", "if len(set(shapes.values())) > 1 or any", "if any"),
    "critic keeps the actor's gradient": (
        "ddpg", "        descend(self.actor, self.actor_optimizer, loss)\n",
        "        loss.backward()\n        self.actor_optimizer.step()\n",
    ),
    "critic stepped by the actor's loss": (
        "ddpg", "descend(self.actor, self.actor_optimizer, loss)",
        "descend(self.actor, self.critic_optimizer, loss)",
    ),
    "rewards stored as a column": (
        "buffer", "(size, act_dim), (size,), ", "(size, act_dim), (size, 1), ",
    ),
    "wrap-around off by one": (
        "buffer", "column[self.stored % self.size] = value",
        "column[self.stored % (self.size + 1) - 1] = value",
    ),
    "newest dropped when full": (
        "buffer", "column[self.stored % self.size] = value",
        "column[min(self.stored, self.size - 1)] = value",
    ),
    "sampling past the filled part": (
        "buffer", "self.rng.integers(len(self),", "self.rng.integers(self.size,",
    ),
    "newest row never sampled": (
        "buffer", "self.rng.integers(len(self),", "self.rng.integers(max(len(self) - 1, 1),",
    ),
    "sampling by permutation": (
        "buffer", "self.rng.integers(len(self), size=self.batch_size)",
        "self.rng.permutation(len(self))[: self.batch_size]",
    ),
    "warm-up saturates": (
        "ddpg", "self.rng.uniform(-1.0, 1.0, self.act_dim)",
        "self.rng.uniform(-2.0, 2.0, self.act_dim).clip(-1.0, 1.0)",
    ),
    "warm-up on half of the range": (
        "ddpg", "self.rng.uniform(-1.0, 1.0, self.act_dim)",
        "self.rng.uniform(0.0, 1.0, self.act_dim)",
    ),
    "warm-up with one number for all dimensions": (
        "ddpg", "self.rng.uniform(-1.0, 1.0, self.act_dim)",
        "np.full(self.act_dim, self.rng.uniform(-1.0, 1.0))",
    ),
    "warm-up one step too long": (
        "ddpg", "self.total_steps < self.initial_random_steps",
        "self.total_steps <= self.initial_random_steps",
    ),
    "warm-up never ends": (
        "ddpg", "if self.total_steps < self.initial_random_steps", "if self.initial_random_steps",
    ),
    "no learning during warm-up": (
        "training", "if len(agent.memory) >= agent.memory.batch_size:",
        "if agent.total_steps > agent.initial_random_steps:",
    ),
    "state never advances": ("ddpg", "        self.obs = np.array(next_obs)", ""),
    "next state stored twice": ("ddpg", ".memory.store(self.obs,", ".memory.store(next_obs,"),
    "score not reset": ("ddpg", "        self.score = 0.0\n        return", "        return"),
    "every reset with one seed": ("ddpg", "        self.reset_seed = None\n", ""),
    "global random stream": ("ddpg", "            torch.manual_seed(for_weights)\n", ""),
    "action not rescaled": (
        "envs", "super().__init__(env, min_action=-ones, max_action=ones)",
        "super().__init__(env, min_action=env.action_space.low, max_action=env.action_space.high)",
    ),
    "reverse action forgets the shift": ("envs", "/ (high - low) - 1.0", "/ (high - low)"),
    "time limit lost": (
        "envs", "gym.make(env_id, render_mode=render_mode)",
        "gym.make(env_id, render_mode=render_mode).unwrapped",
    ),
    "actor without tanh": ("networks", "torch.tanh(self.net(obs))", "self.net(obs)"),
    "last layer starts large": (
        "networks", "nn.init.uniform_(last.weight, -init_w, init_w)", "pass",
    ),
    "evaluation with noise": (
        "evaluation", "actions = agent.policy(obs[running])",
        "actions = agent.policy(obs[running])\n        if hasattr(agent, 'noise'):\n"
        "            actions = actions + agent.noise.sample()",
    ),
    "evaluation advances the training stream": (
        "evaluation", "ended = set()",
        "ended = set()\n        if hasattr(agent, 'noise'):\n"
        "            actions = actions + 0.0 * agent.noise.sample()",
    ),
    "evaluation starts from one state": (
        "evaluation", "env.reset(seed=seed)[0] for", "env.reset(seed=seeds[0])[0] for",
    ),
    "test episode with noise": ("video", "agent.policy(obs)", "agent.select_action(obs)"),
    "evaluation in the training environment": (
        "evaluation", "envs = [make_env(env_id) for _ in seeds]",
        "envs = [agent.env if hasattr(agent, 'env') else make_env(env_id) for _ in seeds]",
    ),
    "evaluation stops at the first end": (
        "evaluation", "running = [i for i in running if i not in ended]",
        "running = [] if ended else running",
    ),
    "demonstrations left out of the critic": (
        "bc", "return Batch(*map(torch.cat, zip(replayed, demo, strict=True)))", "return replayed",
    ),
    "only the last demonstrations kept": (
        "bc", "self.act_dim, len(demo), demo_batch_size", "self.act_dim, demo_batch_size, "
        "demo_batch_size",
    ),
    "demonstrations left out of the policy gradient": (
        "bc", "actor_loss(q)", "actor_loss(q[: -self.demo_batch_size])",
    ),
    "lambda1 left out": ("bc", "self.lambda1 * actor_loss(", "actor_loss("),
    "lambda2 normalised twice": (
        "bc", "self.lambda2 * bc_loss(", "self.lambda2 / self.demo_batch_size * bc_loss(",
    ),
    "mean over the dimensions of an action": (
        "equations", "** 2).sum(dim=1)", "** 2).mean(dim=1)",
    ),
    "divided by the rows that pass": (
        "equations", ".sum(dim=1)).sum() / len(mask)", ".sum(dim=1)).sum() / mask.sum()",
    ),
    "Q-filter inverted": ("equations", "(demo_q > policy_q)", "(demo_q < policy_q)"),
    "Q-filter carrying gradient": (
        "equations", "(demo_q > policy_q).float()", "torch.sigmoid(100 * (demo_q - policy_q))",
    ),
    "Q-filter ignored": ("bc", "if self.q_filter else", "if False else"),
    "clones the replayed rows": (
        "bc", "slice(-self.demo_batch_size, None)", "slice(0, self.demo_batch_size)",
    ),
    "time limits recorded as ends": (
        "demos", "(obs, action, reward, next_obs, terminated)\n            trans",
        "(obs, action, reward, next_obs, terminated or truncated)\n            trans",
    ),
    "every recorded episode from one state": (
        "demos", "seed=None if episode else seed", "seed=seed",
    ),
    "compiled: bias not corrected": (
        "optim", 'torch.tensor(seen2**-0.5', "torch.tensor(1.0",
    ),
    "compiled: AMSGrad forgets its maximum": (
        "optim", 'torch.maximum(state["max_exp_avg_sq"], v)', "v",
    ),
    "compiled: moments of a loss that is not finite": (
        "optim", "torch.where(allowed, grad, 0.0)", "grad",
    ),
    "compiled: targets left out": (
        "compiled", "soft_update(self.agent.critic_target, ",
        "(lambda *_: None)(self.agent.critic_target, ",
    ),
    "optimum: the angle is not wrapped": (
        "optimal", "torch.remainder(angle + velocity * DT + math.pi, 2 * math.pi) - math.pi",
        "angle + velocity * DT",
    ),
    "optimum: the worst torque": ("optimal", "q.amax(dim=1)", "q.amin(dim=1)"),
    "optimum: discount left out": ("optimal", "reward + gamma * inter", "reward + inter"),
    "optimum: acts as if the episode had just begun": (
        "optimal", "self.values[self.to_go]", "self.values[-1]",
    ),
}  # fmt: skip


def mutated(name: str) -> str:
    """Return a mutant's file as it should not be; ValueError if its text is not there once."""
    file, old, new = MUTANTS[name]
    text = (ROOT / "pgcourse" / f"{file}.py").read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{name}: its text stands {text.count(old)} times in {file}.py, not once")
    return text.replace(old, new)


def copy_project(folder: Path) -> None:
    """Copy what the unit tests need."""
    for name in ("pgcourse", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("demo.pkl", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python in a copy of the project, which stands before the installed module."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PGCOURSE_AUDIENCE": "nobody"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip


def killer(name: str | None) -> str | None:
    """Return the first test that fails with a mutant, or None; RuntimeError if none could run."""
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
        # The file's own tests first: they are the quickest to notice.
        tests = [f"tests/test_{test}.py" for test in sorted(TESTS, key=lambda test: test != file)]
        try:
            done = python(folder, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests)
        except subprocess.TimeoutExpired:
            return None
    if done.returncode == 0:
        return None
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED tests/")]
    if not failed:
        raise RuntimeError(f"{name}: no test failed, yet pytest did\n{done.stdout[-2_000:]}")
    return failed[0].removeprefix("FAILED tests/").split(" - ")[0]


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
    survived, names = 0, names or list(MUTANTS)
    for name in names:
        start = time.monotonic()
        failed = killer(name)
        survived += failed is None
        seconds = time.monotonic() - start
        print(f"{name:46s} {failed or 'SURVIVED'}  ({seconds:.0f} s)", flush=True)
    print(f"{len(names) - survived} killed, {survived} survived")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
