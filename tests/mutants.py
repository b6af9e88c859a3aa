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
TESTS = ["equations", "buffer", "noise", "networks", "envs", "evaluation", "bc", "ddpg", "demos"]

# name: (file, text as it is, text as it should not be)
MUTANTS = {
    "biased noise": ("noise", "self.rng.standard_normal(self.size)", "self.rng.random(self.size)"),
    "noise not scaled by sigma": ("noise", "push = self.sigma * ", "push = "),
    "noise pulled away from mu": ("noise", "(self.mu - self.state)", "(self.state - self.mu)"),
    "noise not reset": ("ddpg", "        self.noise.reset()\n", ""),
    "noise left out": ("ddpg", "self.policy(obs) + self.noise.sample()", "self.policy(obs)"),
    "truncated cuts the bootstrap": (
        "ddpg", "action, reward, next_obs, terminated)\n",
        "action, reward, next_obs, terminated or truncated)\n",
    ),
    "terminated bootstraps": ("equations", "gamma * (1.0 - terminated) * next_q", "gamma * next_q"),
    "missing stop-gradient": ("equations", "* next_q).detach()", "* next_q)"),
    "target from the trained critic": (
        "ddpg", "self.critic_target(batch.next_obs,", "self.critic(batch.next_obs,",
    ),
    "target from the trained actor": (
        "ddpg", "self.actor_target(batch.next_obs)", "self.actor(batch.next_obs)",
    ),
    "tau swapped with 1 - tau": ("equations", "slow.lerp_(fast, tau)", "slow.lerp_(fast, 1 - tau)"),
    "actor target never updated": (
        "ddpg", "        soft_update(self.actor_target, self.actor, self.tau)\n", "",
    ),
    "critic target never updated": (
        "ddpg", "        soft_update(self.critic_target, self.critic, self.tau)\n", "",
    ),
    "targets share the weights": (
        "ddpg", "copy.deepcopy(self.critic).requires_grad_(False)", "self.critic",
    ),
    "actor loss sign": ("equations", "return -q.mean()", "return q.mean()"),
    "critic loss not squared": (
        "equations", "((q - target) ** 2).mean()", "(q - target).abs().mean()",
    ),
    "critic returns (B, 1)": ("networks", ".squeeze(-1)", ""),
    "shapes not checked": ("equations", "if len(set(shapes.values())) > 1 or any", "if any"),
    "critic keeps the actor's gradient": (
        "ddpg", "loss.backward(inputs=list(self.actor.parameters()))", "loss.backward()",
    ),
    "critic stepped by the actor's loss": (
        "ddpg", "        self.actor_optimizer.step()\n",
        "        self.actor_optimizer.step()\n        self.critic_optimizer.step()\n",
    ),
    "wrap-around off by one": (
        "buffer", "column[self.stored % self.size] = value",
        "column[self.stored % (self.size + 1) - 1] = value",
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
    "every reset with one seed": ("ddpg", "        self.reset_seed = None\n", ""),
    "global random stream": ("ddpg", "            torch.manual_seed(for_weights)\n", ""),
    "action not rescaled": (
        "envs", "super().__init__(env, min_action=-ones, max_action=ones)",
        "super().__init__(env, min_action=env.action_space.low, max_action=env.action_space.high)",
    ),
    "reverse action forgets the shift": ("envs", "/ (high - low) - 1.0", "/ (high - low)"),
    "actor without tanh": ("networks", "torch.tanh(self.net(obs))", "self.net(obs)"),
    "last layer starts large": (
        "networks", "nn.init.uniform_(last.weight, -init_w, init_w)", "pass",
    ),
    "evaluation with noise": (
        "evaluation", "actions = agent.policy(obs[running])",
        "actions = np.stack([agent.select_action(o) for o in obs[running]])",
    ),
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
    "lambda2 normalised twice": (
        "bc", "self.lambda2 * bc_loss(", "self.lambda2 / self.demo_batch_size * bc_loss(",
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
        "demos", "(obs, action, reward, next_obs, terminated))\n            obs",
        "(obs, action, reward, next_obs, terminated or truncated))\n            obs",
    ),
}  # fmt: skip


def mutate(folder: Path, name: str) -> None:
    """Apply a mutant to the copy in a folder; ValueError if its text is not there once."""
    file, old, new = MUTANTS[name]
    path = folder / "pgcourse" / f"{file}.py"
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{name}: its text stands {text.count(old)} times in {file}.py, not once")
    path.write_text(text.replace(old, new), encoding="utf-8")


def copy_project(folder: Path) -> None:
    """Copy what the unit tests need."""
    for name in ("pgcourse", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("demo.pkl", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)


def run_tests(folder: Path) -> str | None:
    """Return the first test that fails in a copy of the project, or None."""
    files = [f"tests/test_{name}.py" for name in TESTS]
    flags = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "--hypothesis-profile=default"]
    environment = os.environ | {"PYTHONPATH": str(folder), "PGCOURSE_AUDIENCE": "nobody"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *flags, *files],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "the limit of 60 s"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0].split(" - ")[0].removeprefix("FAILED tests/") if lines else done.stdout[-300:]


def main(names: list[str]) -> int:
    """Run the mutants named, or all, and print a line for each."""
    survived = 0
    for name in [None, *(names or MUTANTS)]:
        with tempfile.TemporaryDirectory() as folder:
            copy_project(Path(folder))
            if name:
                mutate(Path(folder), name)
            start = time.monotonic()
            killer = run_tests(Path(folder))
            seconds = time.monotonic() - start
        if name is None:
            if killer:
                print(f"the tests fail without a mutant: {killer}")
                return 1
            continue
        survived += killer is None
        print(f"{name:40s} {killer or 'SURVIVED'}  ({seconds:.0f} s)", flush=True)
    total = len(names or MUTANTS)
    print(f"{total - survived} killed, {survived} survived")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
