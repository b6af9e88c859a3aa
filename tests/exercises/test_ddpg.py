"""Exercises of chapter 03: right answers pass, and each wrong one gets the hint that fits it."""

import re
import textwrap
from pathlib import Path

import gymnasium as gym
import nbformat
import pytest

from pgcourse import soft_update
from pgcourse.exercises import ddpg as exercises

SOLUTIONS = Path(__file__).parents[2] / "notebooks" / "solutions" / "03_ddpg.ipynb"
NOTEBOOK = nbformat.read(SOLUTIONS, as_version=4)
CODE = {c.metadata.nbgrader.grade_id: c.source for c in NOTEBOOK.cells if c.cell_type == "code"}
SOLUTION = re.compile(r"### BEGIN SOLUTION.*?### END SOLUTION", re.DOTALL)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "nobody")
    monkeypatch.setattr("pgcourse.display.plots.display", lambda *_, **__: None)


def run(exercise, answer, needs=()):
    """Run an answer and then the check of an exercise, as the notebook would."""
    names = {"soft_update": soft_update}  # some answers import it
    exec(CODE["ddpg-imports"], names)
    for before in ("03-picture", "04-picture"):
        if before.startswith(exercise[:2]):
            exec(CODE[f"ddpg-{before}"], names)
    for other in needs:
        exec(CODE[f"ddpg-{other}-answer"], names)
    exec(textwrap.dedent(answer), names)
    exec(CODE[f"ddpg-{exercise}-check"], names)


NEEDS = {"15-agent": ("15-target", "15-critics"), "16-buffer": ("16-formulas",)}

RIGHT, WRONG = {}, {}

RIGHT["01"] = {
    "floats": "y_running, y_truncated, y_terminated = -51.5, -51.5, -2",
    "formula": """
        y_running = y_truncated = -2 + 0.99 * -50
        y_terminated = -2.0""",
    "td_target": """
        flags = torch.tensor([0.0, 0.0, 1.0])
        y = td_target(torch.full((3,), -2.0), torch.full((3,), -50.0), flags, 0.99)
        y_running, y_truncated, y_terminated = y""",
}
WRONG["01"] = {
    "cut": ("y_running, y_truncated, y_terminated = -51.5, -2, -2", "cut the bootstrap"),
    "no gamma": ("y_running, y_truncated, y_terminated = -52, -52, -2", "discount Q'"),
    "all": ("y_running, y_truncated, y_terminated = -51.48, -51.48, -2", "own reward"),
    "sign": ("y_running, y_truncated, y_terminated = 47.5, 47.5, -2", "r \\+ γ Q'"),
    "goes on": ("y_running = y_truncated = y_terminated = -51.5", "true end"),
    "text": ("y_running, y_truncated, y_terminated = 'a', -51.5, -2", "should be a number"),
    "zero": ("y_running, y_truncated, y_terminated = -51.5, -51.5, 0", "put d = 1"),
}
RIGHT["02"] = {
    "int": "updates = 460",
    "float": "updates = np.ceil(np.log(0.1) / np.log(0.995))",
    "loop": """
        slow, fast, updates = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1), 0
        torch.nn.init.zeros_(slow.weight)
        torch.nn.init.ones_(fast.weight)
        while slow.weight.item() < 0.9:
            soft_update(slow, fast, 0.005)
            updates += 1""",
}
WRONG["02"] = {
    "linear": ("updates = 180", "what is left"),
    "ten percent": ("updates = 21", "10% of the way"),
    "not whole": ("updates = np.log(0.1) / np.log(0.995)", "whole numbers"),
    "one short": ("updates = 459", "one update is missing"),
    "one over": ("updates = 461", "update before"),
    "half-life": ("updates = 138", "49.93% of the way is covered: not enough"),
    "far": ("updates = 900", "more than 90%"),
}
RIGHT["03"] = {
    "exact": "tau = 0.02",
    "half-life": "tau = 1 - 0.5 ** (1 / 34)",
    "tail": "tau = 1 - (1 - 0.87) ** (1 / 100)",
    "tensor": "tau = torch.tensor(0.0205)",
}
WRONG["03"] = {
    "half-life": ("tau = 35", "Eq. 10 turns it"),
    "linear": ("tau = 0.5 / 34", "divided 0.5"),
    "inverse": ("tau = 1 / 34", "are not the half-life"),
    "chapter's": ("tau = 0.005", "the picture shows"),
    "large": ("tau = 0.05", "the picture shows"),
}
PICTURES = "kinds = dict(zip(kinds_of, {!r}))"
NAMES = "kinds_of = ['saturating warm-up', 'large init_w', 'biased noise', 'white noise']\n"
RIGHT["04"] = {
    "dict": NAMES + PICTURES.format("CBAD"),
    "other order": "kinds = {'white noise': 'D', 'biased noise': 'A', 'large init_w': 'B', "
    "'saturating warm-up': 'C'}",
    "from the counts": NAMES + "kinds = dict(zip(kinds_of, sorted('CBAD', "
    "key=lambda k: [277, 730, 0, 0].index(counts[k][0]) + (k == 'D'))))",
}
WRONG["04"] = {
    "ends": (NAMES + PICTURES.format("BCAD"), "half of all go to the two ends"),
    "humps": (NAMES + PICTURES.format("CBDA"), "pushes one way"),
    "white at ends": (NAMES + PICTURES.format("DBAC"), "full at its ends"),
    "biased at ends": (NAMES + PICTURES.format("ACBD"), "can't do that"),
    "twice": (NAMES + PICTURES.format("CCAD"), "one kind"),
    "lower case": (NAMES + PICTURES.format("cbad"), "one of A, B, C, D"),
}
RIGHT["05"] = {
    "array": """
        def newest_rows(stored, n, size):
            return np.arange(stored - n, stored) % size""",
    "list": """
        def newest_rows(stored, n, size):
            return [k % size for k in range(stored - n, stored)]""",
    "backwards": """
        def newest_rows(stored, n, size):
            rows, row = [], (stored - 1) % size
            for _ in range(n):
                rows.insert(0, row)
                row = row - 1 if row > 0 else size - 1
            return torch.tensor(rows)""",
}
WRONG["05"] = {
    "shifted": (
        "newest_rows = lambda s, n, size: np.arange(s - n + 1, s + 1) % size",
        "written next",
    ),
    "reversed": (
        "newest_rows = lambda s, n, size: np.arange(s - 1, s - n - 1, -1) % size",
        "order",
    ),
    "no wrap": ("newest_rows = lambda s, n, size: np.arange(s - n, s)", "the last row is 4"),
    "negative": ("newest_rows = lambda s, n, size: s % size - n + np.arange(n)", "negative row"),
    "first": ("newest_rows = lambda s, n, size: np.arange(n)", "the newest are"),
    "one": ("newest_rows = lambda s, n, size: (s - 1) % size", "shape"),
    "crash": ("newest_rows = lambda s, n: 0", "raised TypeError"),
}
HALF = """
    def half_life_update(target, source, half_life):
        tau = {tau}
        return {{
            k: v + tau * (source[k] - v) if v.is_floating_point() else source[k]
            for k, v in target.items()
        }}"""
RIGHT["06"] = {
    "power": HALF.format(tau="1 - 0.5 ** (1 / half_life)"),
    "exp": HALF.format(tau="-np.expm1(-np.log(2) / half_life)"),
    "tensor": HALF.format(tau="1 - torch.exp2(torch.tensor(-1 / half_life))"),
    "lerp on copies": """
        def half_life_update(target, source, half_life):
            new = copy.deepcopy(target)
            for name in new:
                if new[name].dtype.is_floating_point:
                    new[name].lerp_(source[name], 1 - 2 ** (-1 / half_life))
                else:
                    new[name].copy_(source[name])
            return new""",
}
WRONG["06"] = {
    "1 / h": (HALF.format(tau="1 / half_life"), "1 / half_life is not"),
    "0.5 / h": (HALF.format(tau="0.5 / half_life"), "0.5 / half_life"),
    "log 2 / h": (HALF.format(tau="np.log(2) / half_life"), "long half-lives"),
    "reversed": (HALF.format(tau="0.5 ** (1 / half_life)"), "keep what should go"),
    "tau": (HALF.format(tau="0.005"), "not 0.5"),
    "in place": (
        """
        def half_life_update(target, source, half_life):
            for k, v in target.items():
                if v.is_floating_point():
                    v.lerp_(source[k], 1 - 0.5 ** (1 / half_life))
            return target""",
        "changes its arguments",
    ),
    "counter": (
        """
        def half_life_update(target, source, half_life):
            tau = 1 - 0.5 ** (1 / half_life)
            return {k: v + tau * (source[k] - v) for k, v in target.items()}""",
        "stays an integer",
    ),
    "old counter": (HALF.format(tau="0.1").replace("else source[k]", "else v"), "taken over"),
}
OU = "ou_next = lambda noise, mu, theta, sigma, dt, epsilon: "
RIGHT["07"] = {
    "plain": OU + "noise + theta * (mu - noise) * dt + sigma * np.sqrt(dt) * epsilon",
    "mixed": OU + "(1 - theta * dt) * noise + theta * dt * mu + (sigma**2 * dt) ** 0.5 * epsilon",
    "loop": """
        def ou_next(noise, mu, theta, sigma, dt, epsilon):
            pairs = zip(noise, epsilon)
            return [n + theta * dt * (mu - n) + sigma * dt**0.5 * e for n, e in pairs]""",
    "in steps": """
        def ou_next(noise, mu, theta, sigma, dt, epsilon):
            new = noise.copy()
            new += dt * theta * (mu - noise)
            new += sigma * epsilon * np.sqrt(dt)
            return torch.from_numpy(new)""",
}
WRONG["07"] = {
    "no dt": (OU + "noise + theta * (mu - noise) + sigma * epsilon", "push does not depend"),
    "dt": (OU + "noise + (theta * (mu - noise) + sigma * epsilon) * dt", "shrinks with dt²"),
    "over": (OU + "noise + theta * (mu - noise) * dt + sigma * epsilon / dt**0.5", "divide"),
    "pull": (OU + "noise + theta * (mu - noise) + sigma * dt**0.5 * epsilon", "pull does not"),
    "power": (OU + "mu + (1 - theta) ** dt * (noise - mu) + sigma * dt**0.5 * epsilon", "\\^dt"),
    "away": (OU + "noise - theta * (mu - noise) * dt + sigma * dt**0.5 * epsilon", "wrong way"),
    "no mu": (OU + "noise - theta * noise * dt + sigma * dt**0.5 * epsilon", "Eq. 5"),
    "in place": (
        """
        def ou_next(noise, mu, theta, sigma, dt, epsilon):
            noise += theta * (mu - noise) * dt + sigma * dt**0.5 * epsilon
            return noise""",
        "changes its arguments",
    ),
}
RIGHT["08-number"] = {
    "formula": "sigma_white = 0.2 / (0.15 * 1.85) ** 0.5",
    "rounded": "sigma_white = 0.38",
    "simulated": """
        noise = exercise.OUNoise(1, seed=0)
        trace = [noise.sample()[0] for _ in range(200_000)]
        sigma_white = np.std(trace[100:])""",
}
WRONG["08-number"] = {
    "variance": ("sigma_white = 0.04 / (0.15 * 1.85)", "variance"),
    "push": ("sigma_white = 0.2", "one push"),
    "theta": ("sigma_white = 0.2 / 0.15", "20,000 copies"),
    "root theta": ("sigma_white = 0.2 / (2 * 0.15) ** 0.5", "20,000 copies"),
}
ADAM = """
    class PlainAdam(DDPGAgent):
        def make_optimizer(self, network, lr):
            return {}"""
RIGHT["09"] = {
    "plain": ADAM.format("torch.optim.Adam(network.parameters(), lr=lr)"),
    "fused": ADAM.format("torch.optim.Adam(list(network.parameters()), lr, fused=True)"),
    "groups": ADAM.format("torch.optim.Adam([{'params': network.parameters(), 'lr': lr}])"),
    "changed": """
        class PlainAdam(DDPGAgent):
            def make_optimizer(self, network, lr):
                optimizer = super().make_optimizer(network, lr)
                for group in optimizer.param_groups:
                    group["amsgrad"] = False
                return optimizer""",
}
WRONG["09"] = {
    "amsgrad": (ADAM.format("super().make_optimizer(network, lr)"), "still AMSGrad"),
    "default rate": (ADAM.format("torch.optim.Adam(network.parameters())"), "argument lr"),
    "sgd": (ADAM.format("torch.optim.SGD(network.parameters(), lr)"), "got SGD"),
    "actor": (ADAM.format("torch.optim.Adam(self.actor.parameters(), lr)"), "critic's optimiser"),
    "decay": (
        ADAM.format("torch.optim.Adam(network.parameters(), lr, weight_decay=0.01)"),
        "decay",
    ),
    "no subclass": ("class PlainAdam: pass", "Derive from DDPGAgent"),
}
RIGHT["09-ratio"] = {
    "formula": "ratio = 100 * np.sqrt(1 - 0.999**1000)",
    "rounded": "ratio = 80",
    "simulated": """
        v, largest = 0.0, 0.0
        for gradient in [1.0] * 1_000 + [0.01] * 20_000:
            v += 0.001 * (gradient**2 - v)
            largest = max(largest, v)
        ratio = torch.tensor((largest / v) ** 0.5)""",
}
WRONG["09-ratio"] = {
    "hundred": ("ratio = 100", "has not"),
    "squared": ("ratio = (1 - 0.999**1000) / 0.01**2", "root"),
    "inverse": ("ratio = 1 / 79.5", "Upside down"),
    "one": ("ratio = 1", "still remembers"),
    "other": ("ratio = 63", "largest mean of squares"),
}
WARM = """
    class SaturatingWarmUp(DDPGAgent):
        def select_action(self, obs):
            if self.total_steps < self.initial_random_steps:
                return {}
            return super().select_action(obs)"""
RIGHT["10"] = {
    "clip": WARM.format("np.clip(self.rng.uniform(-2, 2, self.act_dim), -1, 1).astype(np.float32)"),
    "doubled": WARM.format("np.clip(2 * super().select_action(obs), -1, 1)"),
    "coin": WARM.format(
        "np.float32(self.rng.choice([-1, 1, self.rng.uniform(-1, 1)], 1, p=[0.25, 0.25, 0.5]))"
    ),
    "whole": """
        class SaturatingWarmUp(DDPGAgent):
            def select_action(self, obs):
                if self.total_steps < self.initial_random_steps:
                    action = 4 * self.rng.random(self.act_dim) - 2
                else:
                    action = self.policy(obs) + self.noise.sample()
                return np.minimum(np.maximum(action, -1), 1).astype("float32")""",
}
WRONG["10"] = {
    "plain": (WARM.format("super().select_action(obs)"), "No action is saturated"),
    "no clip": (WARM.format("2 * super().select_action(obs)"), "clip it"),
    "numpy": (
        WARM.format("np.clip(np.random.uniform(-2, 2, 1), -1, 1).astype(np.float32)"),
        "self.rng",
    ),
    "float64": (WARM.format("np.clip(self.rng.uniform(-2, 2, 1), -1, 1)"), "float32"),
    "signs": (WARM.format("np.sign(self.rng.uniform(-2, 2, 1)).astype(np.float32)"), "100%"),
    "always": (
        """
        class SaturatingWarmUp(DDPGAgent):
            def select_action(self, obs):
                return np.clip(self.rng.uniform(-2, 2, 1), -1, 1).astype(np.float32)""",
        "After the warm-up",
    ),
    "scalar": (WARM.format("np.clip(self.rng.uniform(-2, 2), -1, 1)"), "shape"),
}
RIGHT["10-numbers"] = {
    "formula": "share, deviation = 1 / 2, (2 / 3) ** 0.5",
    "rounded": "share, deviation = 0.5, 0.82",
    "simulated": """
        a = np.clip(np.random.default_rng(1).uniform(-2, 2, 100_000), -1, 1)
        share, deviation = (np.abs(a) == 1).mean(), a.std()""",
}
WRONG["10-numbers"] = {
    "one end": ("share, deviation = 0.25, 0.82", "two"),
    "percent": ("share, deviation = 50, 0.82", "fraction"),
    "variance": ("share, deviation = 0.5, 2 / 3", "variance"),
    "uniform": ("share, deviation = 0.5, 0.577", "uniform actions in \\[-1, 1\\]"),
    "before": ("share, deviation = 0.5, 1.155", "before clipping"),
    "other": ("share, deviation = 0.5, 0.7", "mean of the squares"),
}
LARGE = """
    class LargeActor(DDPGAgent):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.actor = {actor}
            self.actor_target = {target}
            self.learners["actor"] = {learner}
            self.followers["actor"] = {follower}"""
SOUND = {
    "actor": "Actor(self.obs_dim, self.act_dim, init_w=3.0)",
    "target": "copy.deepcopy(self.actor).requires_grad_(False)",
    "learner": "self.learner(self.actor, self.actor_lr, self.actor_objective)",
    "follower": "Follower(self.actor_target, self.actor)",
}
RIGHT["11"] = {
    "anew": LARGE.format(**SOUND),
    "in place": """
        class LargeActor(DDPGAgent):
            def __init__(self, *args, **options):
                super().__init__(*args, **options)
                last = self.actor.net[-1]
                for p in (last.weight, last.bias):
                    torch.nn.init.uniform_(p, -3, 3)
                self.actor_target.load_state_dict(self.actor.state_dict())""",
    "in build": LARGE.format(**SOUND)
    .replace("__init__(self, *args, **options)", "build(self)")
    .replace("__init__(*args, **options)", "build()"),
    "state": LARGE.format(**SOUND | {"target": "Actor(3, 1).requires_grad_(False)"})
    + "\n            self.actor_target.load_state_dict(self.actor.state_dict())",
}
WRONG["11"] = {
    "small": (LARGE.format(**SOUND | {"actor": "Actor(3, 1)"}), "the old one"),
    "other size": (LARGE.format(**SOUND | {"actor": "Actor(3, 1, 1.0)"}), "should start in ±3"),
    "old target": (LARGE.format(**SOUND | {"target": "self.actor_target"}), "old actor: make"),
    "same": (LARGE.format(**SOUND | {"target": "self.actor"}), "the actor itself"),
    "own weights": (
        LARGE.format(**SOUND | {"target": "Actor(3, 1, 3.0).requires_grad_(False)"}),
        "other weights",
    ),
    "gradients": (LARGE.format(**SOUND | {"target": "copy.deepcopy(self.actor)"}), "gradients"),
    "old learner": (LARGE.format(**SOUND | {"learner": "self.learners['actor']"}), "still steps"),
    "rate": (
        LARGE.format(**SOUND | {"learner": "self.learner(self.actor, 1e-3, self.actor_objective)"}),
        "not actor_lr",
    ),
    "old follower": (
        LARGE.format(**SOUND | {"follower": "self.followers['actor']"}),
        "still moves the old",
    ),
    "follows another": (
        LARGE.format(**SOUND | {"follower": "Follower(self.actor_target, self.critic)"}),
        "does not follow",
    ),
}
RIGHT["12"] = {
    "forwards": """
        def n_step_target(reward, next_q, terminated, truncated, gamma):
            B, n = reward.shape
            y, factor, alive = torch.zeros(B), 1.0, torch.ones(B, dtype=torch.bool)
            for k in range(n):
                y = y + alive * factor * reward[:, k]
                factor *= gamma
                last = terminated[:, k] | truncated[:, k] | (k == n - 1)
                y = y + (alive & last & ~terminated[:, k]) * factor * next_q[:, k]
                alive = alive & ~last
            return y""",
    "cumprod": """
        def n_step_target(reward, next_q, terminated, truncated, gamma):
            ended = terminated | truncated
            ended[:, -1] = True
            m = ended.float().argmax(dim=1)
            k = torch.arange(reward.shape[1])
            inside = k <= m[:, None]
            y = (inside * gamma**k * reward).sum(dim=1)
            rows = torch.arange(len(m))
            return y + gamma ** (m + 1) * (~terminated[rows, m]) * next_q[rows, m]""",
    "loops": """
        def n_step_target(reward, next_q, terminated, truncated, gamma):
            out = []
            for r, q, d, t in zip(reward, next_q, terminated, truncated):
                y = 0.0
                for k in range(len(r)):
                    y += gamma**k * r[k].item()
                    if d[k]:
                        break
                    if t[k] or k == len(r) - 1:
                        y += gamma ** (k + 1) * q[k].item()
                        break
                out.append(y)
            return torch.tensor(out)""",
}
FORWARDS = RIGHT["12"]["forwards"]
WRONG["12"] = {
    "bootstraps an end": (FORWARDS.replace(" & ~terminated[:, k])", ")"), "through step 1"),
    "truncation cuts": (
        FORWARDS.replace(" & ~terminated[:, k])", " & ~(terminated | truncated)[:, k])"),
        "bootstrap there",
    ),
    "no flags": (
        FORWARDS.replace("alive = alive & ~last", "pass").replace(
            "last = terminated[:, k] | truncated[:, k] | (k == n - 1)",
            "last = torch.tensor(k == n - 1)",
        ),
        "no notice of an end",
    ),
    "next episode": (
        FORWARDS.replace("y + alive * factor", "y + factor"),
        "belong to the next episode",
    ),
    "gamma": (FORWARDS.replace("gamma\n", "gamma if k < n - 1 else 1\n"), "γ³, not by γ²"),
    "one step": (
        """
        def n_step_target(reward, next_q, terminated, truncated, gamma):
            return td_target(reward[:, 0], next_q[:, 0], terminated[:, 0].float(), gamma)""",
        "one-step",
    ),
    "rewards only": (
        """
        def n_step_target(reward, next_q, terminated, truncated, gamma):
            return (reward * gamma ** torch.arange(reward.shape[1])).sum(dim=1)""",
        "forgot to bootstrap",
    ),
    "flag arithmetic": (
        "n_step_target = lambda r, q, d, t, gamma: r[:, 0] + gamma * (1 - d[:, 0]) * q[:, 0]",
        "raised RuntimeError",
    ),
    "full power": (FORWARDS.replace("factor * next_q", "gamma**n * next_q"), "γ², not γ³"),
    "truncated runs on": (FORWARDS.replace("| truncated[:, k] ", ""), "another episode"),
}
WINDOWS = """
    def sample_windows(ring, stored, n, batch_size, rng):
        size = len(ring)
        {}"""
RIGHT["13"] = {
    "numbers": WINDOWS.format("""low = max(0, stored - size)
        first = rng.integers(low, stored - n + 1, batch_size)
        return ring[(first[:, None] + np.arange(n)) % size]"""),
    "rolled": WINDOWS.format("""filled = min(stored, size)
        ordered = np.roll(ring[:filled], -(stored % size) if stored > size else 0, axis=0)
        all_windows = np.lib.stride_tricks.sliding_window_view(ordered, n, axis=0)
        return all_windows[rng.integers(filled - n + 1, size=batch_size)].swapaxes(1, 2)"""),
    "oldest row": WINDOWS.format("""filled = min(stored, size)
        oldest = stored % size if stored >= size else 0
        j = np.floor(rng.random((batch_size, 1)) * (filled - n + 1)).astype(int)
        return torch.from_numpy(ring.take((oldest + j + np.arange(n)) % size, axis=0))"""),
}
WRONG["13"] = {
    "seam": (
        WINDOWS.format("""first = rng.integers(min(stored, size), size=(batch_size, 1))
        return ring[(first + np.arange(n)) % min(stored, size)]"""),
        "on into the oldest one",
    ),
    "unwritten": (
        WINDOWS.format("""first = rng.integers(size, size=(batch_size, 1))
        return ring[(first + np.arange(n)) % size]"""),
        "never written",
    ),
    "last window": (
        WINDOWS.format("""low = max(0, stored - size)
        first = rng.integers(low, max(stored - n, 1), batch_size)
        return ring[(first[:, None] + np.arange(n)) % size]"""),
        "newest window",
    ),
    "no wrap": (
        WINDOWS.format("""k = np.arange(max(0, stored - size), stored - n + 1)
        k = k[k % size <= size - n]
        return ring[rng.choice(k, batch_size)[:, None] % size + np.arange(n)]"""),
        "ring wraps",
    ),
    "backwards": (
        WINDOWS.format("""low = max(0, stored - size)
        first = rng.integers(low, stored - n + 1, batch_size)
        return ring[(first[:, None] + np.arange(n)) % size][:, ::-1]"""),
        "oldest transition comes first",
    ),
    "own stream": (
        WINDOWS.format("""low = max(0, stored - size)
        first = np.random.randint(low, stored - n + 1, batch_size)
        return ring[(first[:, None] + np.arange(n)) % size]"""),
        "draw from rng",
    ),
    "loop": (
        WINDOWS.format("""low = max(0, stored - size)
        first = rng.integers(low, stored - n + 1, batch_size)
        return np.stack([ring[np.arange(k, k + n) % size] for k in first])"""),
        "without a Python loop",
    ),
    "while": (
        WINDOWS.format("""first = rng.integers(max(0, stored - size), stored - n + 1, batch_size)
        windows = np.empty((batch_size, n, 2), ring.dtype)
        k = 0
        while k < n:
            windows[:, k] = ring[(first + k) % size]
            k += 1
        return windows"""),
        "without a Python loop",
    ),
    "flat": (WINDOWS.format("return ring[rng.integers(size, size=batch_size)]"), "shape"),
}
FATAL = """
    class FatalLimit(gym.Env):
        def __init__(self):
            self.observation_space = gym.spaces.Discrete({n})
            self.action_space = gym.spaces.Discrete(2)

        def reset(self, seed=None, options=None):
            self.obs = 0
            return 0, {{}}

        def step(self, action):
            {step}"""
RIGHT["14"] = {
    "take the money": FATAL.format(
        n=2,
        step="""if self.obs == 0 and action == 1:
                return 1, 40.0, True, False, {}
            self.obs = 1
            return 1, 1.0, False, False, {}""",
    ),
    "gym attributes": """
        class FatalLimit(gym.Env):
            observation_space = gym.spaces.Discrete(3)
            action_space = gym.spaces.Discrete(3)

            def reset(self, *, seed=None, options=None):
                super().reset(seed=seed)
                self.obs = np.int64(0)
                return self.obs, {}

            def step(self, action):
                if self.obs == 0:
                    self.obs = np.int64(1 + (action == 2))
                    return self.obs, 25.0 * (action == 2), bool(action == 2), False, {}
                return self.obs, 1, False, False, {}""",
    "a corridor": FATAL.format(
        n=40,
        step="""if self.obs == 0:
                self.obs = 1 if action == 0 else 2
                return self.obs, 0.0, False, False, {}
            if self.obs == 1:
                return 1, 0.9, False, False, {}
            self.obs = self.obs + 1
            return self.obs, 1.0, self.obs == 21, False, {}""",
    ),
}
WRONG["14"] = {
    "nothing tempts": (
        FATAL.format(n=1, step="return 0, 1.0, False, False, {}"),
        "best action stays the best",
    ),
    "ends early": (
        FATAL.format(n=1, step="return 0, 1.0, True, False, {}"),
        "No random episode reaches",
    ),
    "too cheap": (
        FATAL.format(
            n=2,
            step="""if self.obs == 0 and action == 1:
                return 1, 10.0, True, False, {}
            self.obs = 1
            return 1, 1.0, False, False, {}""",
        ),
        "best action stays the best",
    ),
    "too dear": (
        FATAL.format(
            n=2,
            step="""if self.obs == 0 and action == 1:
                return 1, 60.0, True, False, {}
            self.obs = 1
            return 1, 1.0, False, False, {}""",
        ),
        "not fatal yet",
    ),
    "own limit": (FATAL.format(n=1, step="return 0, 1.0, False, True, {}"), "truncated stays"),
    "hidden clock": (
        FATAL.format(
            n=1,
            step="""self.t = getattr(self, "t", 0) + 1
            return 0, float(self.t), False, False, {}""",
        ),
        "one path twice differs|obs and action alone",
    ),
    "counts its steps": (
        FATAL.format(
            n=1,
            step="""self.t += 1
            return 0, float(self.t), False, False, {}""",
        ).replace("self.obs = 0", "self.obs = self.t = 0"),
        "obs and action alone",
    ),
    "costs": (
        FATAL.format(
            n=2,
            step="""if self.obs == 0 and action == 1:
                return 1, -30.0, True, False, {}
            self.obs = 1
            return 1, -1.0, False, False, {}""",
        ),
        "should be positive",
    ),
    "old gym": (FATAL.format(n=1, step="return 0, 1.0, False, {}"), "step should return"),
}
CLIPPED = "clipped_target = lambda reward, next_q, terminated, gamma: "
RIGHT["15-target"] = {
    "td_target": CLIPPED + "td_target(reward, next_q.amin(dim=0), terminated, gamma)",
    "min": CLIPPED + "(reward + gamma * (1 - terminated) * next_q.min(dim=0).values).detach()",
    "loop": """
        def clipped_target(reward, next_q, terminated, gamma):
            smallest = next_q[0]
            for other in next_q[1:]:
                smallest = torch.minimum(smallest, other)
            with torch.no_grad():
                return reward + gamma * (1 - terminated) * smallest""",
}
WRONG["15-target"] = {
    "max": (CLIPPED + "td_target(reward, next_q.amax(dim=0), terminated, gamma)", "larger"),
    "mean": (CLIPPED + "td_target(reward, next_q.mean(dim=0), terminated, gamma)", "mean"),
    "abs": (
        CLIPPED + "td_target(reward, next_q.abs().amin(dim=0), terminated, gamma)",
        "No absolute values",
    ),
    "whole": (
        CLIPPED + "(reward + gamma * (1 - terminated) * next_q.min()).detach()",
        "whole batch",
    ),
    "flag": (CLIPPED + "(reward + gamma * next_q.amin(0)).detach()", "Row 1 terminated"),
    "two only": (
        CLIPPED
        + "(reward + gamma * (1 - terminated) * torch.minimum(next_q[0], next_q[-1] + 1)).detach()",
        "By hand|all K",
    ),
    "gradient": (CLIPPED + "reward + gamma * (1 - terminated) * next_q.amin(0)", "detach"),
    "axis": (CLIPPED + "next_q.amin(dim=1)", "shape"),
}
TWIN = """
    class TwinCritics(DDPGAgent):
        def build(self):
            super().build()
            self.critic2 = {critic}
            self.critic2_target = {target}
            self.learners["critic2"] = {learner}
            self.followers["critic2"] = {follower}

        def critic2_objective(self, batch):
            raise NotImplementedError"""
TWO = {
    "critic": "Critic(self.obs_dim + self.act_dim)",
    "target": "copy.deepcopy(self.critic2).requires_grad_(False)",
    "learner": "self.learner(self.critic2, self.critic_lr, self.critic2_objective)",
    "follower": "Follower(self.critic2_target, self.critic2)",
}
ADAM2 = """Learner(
                self.critic2,
                torch.optim.Adam(self.critic2.parameters(), self.critic_lr),
                lambda batch: self.critic2_objective(batch),
            )"""
STATE = """Critic(4).requires_grad_(False)
            self.critic2_target.load_state_dict(self.critic2.state_dict())"""
RIGHT["15-critics"] = {
    "copy": TWIN.format(**TWO),
    "adam": "from pgcourse.agents.off_policy import Learner\n"
    + textwrap.dedent(TWIN.format(**TWO | {"learner": ADAM2})),
    "state": TWIN.format(**TWO | {"target": STATE}),
    "after init": TWIN.format(**TWO)
    .replace("build(self)", "__init__(self, *args, **options)")
    .replace("build()", "__init__(*args, **options)"),
}
WRONG["15-critics"] = {
    "alike": (TWIN.format(**TWO | {"critic": "copy.deepcopy(self.critic)"}), "start with equal"),
    "same": (TWIN.format(**TWO | {"critic": "self.critic"}), "another name"),
    "same target": (TWIN.format(**TWO | {"target": "self.critic2"}), "critic2 itself"),
    "other target": (TWIN.format(**TWO | {"target": "self.critic_target"}), "copy of critic2"),
    "gradients": (TWIN.format(**TWO | {"target": "copy.deepcopy(self.critic2)"}), "requires_grad_"),
    "optimiser": (
        TWIN.format(**TWO | {"learner": TWO["learner"].replace("self.critic2,", "self.critic,")}),
        "weights of critic2",
    ),
    "rate": (
        TWIN.format(**TWO | {"learner": TWO["learner"].replace("critic_lr", "actor_lr")}),
        "at critic_lr",
    ),
    "objective": (
        TWIN.format(**TWO | {"learner": TWO["learner"].replace("critic2_obj", "critic_obj")}),
        "a loss of its own",
    ),
    "not in the list": (
        TWIN.format(**TWO).replace('self.learners["critic2"]', "self.critic2_learner"),
        r'learners\["critic2"\] is missing',
    ),
    "no follower": (
        TWIN.format(**TWO).replace('self.followers["critic2"]', "self.critic2_follower"),
        r'followers\["critic2"\] is missing',
    ),
    "new list": (
        TWIN.format(**TWO).replace(
            'self.followers["critic2"] = Follower(self.critic2_target, self.critic2)',
            'self.followers = {"critic2": Follower(self.critic2_target, self.critic2)}',
        ),
        "keep the other entries",
    ),
    "old target": (
        TWIN.format(**TWO | {"follower": "Follower(self.critic_target, self.critic2)"}),
        "should move critic2_target",
    ),
    "old critic": (
        TWIN.format(**TWO | {"follower": "Follower(self.critic2_target, self.critic)"}),
        "should follow critic2",
    ),
    "missing": ("class TwinCritics(DDPGAgent): pass", "self.critic2 is missing"),
}
AGENT = """
    class TwinAgent(TwinCritics):
        def both(self, batch):
            action = self.actor_target(batch.next_obs)
            q1 = self.critic_target(batch.next_obs, action)
            q2 = self.critic2_target(batch.next_obs, action)
            y1 = y2 = td_target(batch.reward, torch.minimum(q1, q2), batch.terminated, self.gamma)
            loss1 = critic_loss(self.critic(batch.obs, batch.action), y1)
            loss2 = critic_loss(self.critic2(batch.obs, batch.action), y2)
            return loss1, loss2

        def critic_objective(self, batch):
            loss, _ = self.both(batch)
            return loss, {"critic_loss": loss}

        def critic2_objective(self, batch):
            _, loss = self.both(batch)
            return loss, {"critic2_loss": loss}
    """
LEAST = "y1 = y2 = td_target(batch.reward, torch.minimum(q1, q2), batch.terminated, self.gamma)"
BY_HAND = (
    AGENT
    + """
        def update(self, batch):
            loss1, loss2 = self.both(batch)
            descend(self.learners["critic"], loss1)
            descend(self.learners["critic2"], loss2)
            loss, _ = self.actor_objective(batch)
            descend(self.learners["actor"], loss)
            soft_update(self.actor_target, self.actor, self.tau)
            soft_update(self.critic_target, self.critic, self.tau)
            soft_update(self.critic2_target, self.critic2, self.tau)
            losses = {"critic_loss": loss1, "critic2_loss": loss2, "actor_loss": loss}
            return self.history.read(self.total_steps, losses)
    """
)
BACKWARD = BY_HAND.replace(
    'descend(self.learners["critic"], loss1)', "(loss1 + loss2).backward()"
).replace(
    'descend(self.learners["critic2"], loss2)',
    """for name in ("critic", "critic2"):
                self.learners[name].optimizer.step()
                self.learners[name].optimizer.zero_grad()""",
)
RIGHT["15-agent"] = {
    "objectives": AGENT,
    "backward": BACKWARD,
    "written out": BY_HAND,
    "own function": AGENT.replace(
        LEAST,
        "y1 = y2 = clipped_target(batch.reward, torch.stack([q1, q2]), batch.terminated, "
        "self.gamma)",
    ),
}
WRONG["15-agent"] = {
    "own targets": (
        AGENT.replace(
            LEAST,
            """y1 = td_target(batch.reward, q1, batch.terminated, self.gamma)
            y2 = td_target(batch.reward, q2, batch.terminated, self.gamma)""",
        ),
        "should learn one target",
    ),
    "larger": (AGENT.replace("torch.minimum", "torch.maximum"), "took the larger"),
    "mean": (AGENT.replace("torch.minimum(q1, q2)", "(q1 + q2) / 2"), "took the mean"),
    "always the second": (AGENT.replace("torch.minimum(q1, q2)", "q2"), "took the larger"),
    "second not trained": (
        BY_HAND.replace('descend(self.learners["critic2"], loss2)', "pass"),
        "critic2 did not move",
    ),
    "slow copy": (
        BY_HAND.replace("soft_update(self.critic2_target, self.critic2, self.tau)", "pass"),
        "critic2_target did not move",
    ),
    "twice": (
        AGENT
        + """
        def update(self, batch):
            losses = super().update(batch)
            soft_update(self.critic_target, self.critic, self.tau)
            return losses
    """,
        "critic_target moved by .* is it moved twice",
    ),
    "flag": (
        AGENT.replace(", batch.terminated,", ", 0 * batch.terminated,"),
        "Does the bootstrap stop",
    ),
    "old gradients": (
        BACKWARD.replace("self.learners[name].optimizer.zero_grad()", "pass"),
        "those of an earlier",
    ),
    "records": (AGENT.replace('{"critic2_loss": loss}', "{}"), "should record"),
    "no return": (
        AGENT.replace('return loss, {"critic2_loss": loss}', "pass"),
        "critic2_objective returns nothing",
    ),
    "only the loss": (
        AGENT.replace('return loss, {"critic2_loss": loss}', "return loss"),
        "dict of what to record",
    ),
    "no losses": (
        AGENT
        + """
        def update_model(self):
            super().update_model()
    """,
        "should return the losses",
    ),
    "base": (AGENT.replace("(TwinCritics)", "(DDPGAgent)"), "Derive from your TwinCritics"),
}
FORMULAS = """
    probabilities = lambda p, alpha: {p}
    importance_weights = lambda drawn, n, beta: {w}"""
BOTH = {"p": "p**alpha / (p**alpha).sum()", "w": "(drawn.min() / drawn) ** beta"}
RIGHT["16-formulas"] = {
    "short": FORMULAS.format(**BOTH),
    "literal": FORMULAS.format(
        p="np.array([x**alpha for x in p]) / np.sum(p**alpha)",
        w="(n * drawn) ** -beta / np.max((n * drawn) ** -beta)",
    ),
    "logs": FORMULAS.format(
        p="torch.softmax(alpha * torch.from_numpy(p).log(), 0)",
        w="np.exp(-beta * np.log(drawn / drawn.min()))",
    ),
}
WRONG["16-formulas"] = {
    "no alpha": (FORMULAS.format(**BOTH | {"p": "p / p.sum()"}), "left α out"),
    "no sum": (FORMULAS.format(**BOTH | {"p": "p**alpha"}), "add up to 1"),
    "power last": (FORMULAS.format(**BOTH | {"p": "(p / p.sum()) ** alpha"}), "power comes first"),
    "softmax": (
        FORMULAS.format(**BOTH | {"p": "np.exp(alpha * p) / np.exp(alpha * p).sum()"}),
        "roots",
    ),
    "not normalised": (FORMULAS.format(**BOTH | {"w": "(n * drawn) ** -beta"}), "largest weight"),
    "upside down": (
        FORMULAS.format(**BOTH | {"w": "(drawn / drawn.max()) ** beta"}),
        "small weights",
    ),
    "sum": (
        FORMULAS.format(**BOTH | {"w": "(1 / drawn) ** beta / ((1 / drawn) ** beta).sum()"}),
        "not by the sum",
    ),
    "no beta": (FORMULAS.format(**BOTH | {"w": "drawn.min() / drawn"}), "β = 0"),
}
BUFFER = """
    class PrioritisedBuffer(ReplayBuffer):
        def __init__(self, *args, alpha=0.6, beta=0.4, **options):
            super().__init__(*args, **options)
            self.alpha, self.beta = alpha, beta
            self.priority = np.zeros(self.size)

        def _write(self, row):
            largest = self.priority.max()
            self.priority[self.stored % self.size] = largest if self.stored else 1.0
            super()._write(row)

        def sample_batch(self):
            scaled = self.priority[: len(self)] ** self.alpha
            p = scaled / scaled.sum()
            self.drawn = self.rng.choice(len(self), self.batch_size, p=p)
            self.weights = (p[self.drawn].min() / p[self.drawn]) ** self.beta
            return Batch(*(column[self.drawn] for column in self.data))

        def update_priorities(self, td_error):
            self.priority[self.drawn] = np.abs(td_error) + 1e-6
    """
CHOICE = "self.drawn = self.rng.choice(len(self), self.batch_size, p=p)"
RIGHT["16-buffer"] = {
    "choice": BUFFER,
    "searchsorted": BUFFER.replace(
        CHOICE,
        "self.drawn = np.searchsorted(np.cumsum(p)[:-1], self.rng.random(self.batch_size))",
    ),
    "largest ever": BUFFER.replace(
        "largest = self.priority.max()", "largest = self.top = getattr(self, 'top', 1.0)"
    ).replace("+ 1e-6", "+ 1e-6\n            self.top = max(self.top, np.abs(td_error).max())"),
    "float32 and loops": BUFFER.replace("np.zeros(self.size)", "np.zeros(self.size, 'float32')")
    .replace(
        "self.priority[self.drawn] = np.abs(td_error) + 1e-6",
        """for row, error in zip(self.drawn, td_error):
                self.priority[row] = abs(error) + 1e-6""",
    )
    .replace("p = scaled / scaled.sum()", "p = scaled.astype(float) / scaled.astype(float).sum()"),
}
WRONG["16-buffer"] = {
    "uniform": (
        BUFFER.replace(CHOICE, "self.drawn = self.rng.choice(len(self), self.batch_size)"),
        "equally often",
    ),
    "no weights": (BUFFER.replace("** self.beta", "** 0"), "are all 1"),
    "signed": (BUFFER.replace("np.abs(td_error)", "td_error"), "as surprising"),
    "squared": (BUFFER.replace("np.abs(td_error)", "td_error**2"), "should be"),
    "no epsilon": (BUFFER.replace(" + 1e-6", ""), "small ε"),
    "first rows": (
        BUFFER.replace("self.priority[self.drawn] =", "self.priority[: len(td_error)] ="),
        "in that order",
    ),
    "not stored": (BUFFER.replace("super()._write(row)", "self.stored += 1"), "super\\(\\)._write"),
    "always 1": (
        BUFFER.replace("largest if self.stored else 1.0", "1.0"),
        "largest priority so far",
    ),
    "old priority": (
        BUFFER.replace(
            "            self.priority[self.stored % self.size] = largest if self.stored else 1.0",
            "            if self.stored < self.size:\n"
            "                self.priority[self.stored] = largest if self.stored else 1.0",
        ),
        "keeps the old",
    ),
    "empty rows": (
        BUFFER.replace("self.priority[: len(self)] **", "self.priority **").replace(
            "choice(len(self),", "choice(self.size,"
        ),
        "holds nothing yet",
    ),
    "own stream": (BUFFER.replace("self.rng.choice", "np.random.choice"), "self.rng"),
    "drawn": (BUFFER.replace("column[self.drawn]", "column[self.drawn - 1]"), "what came out"),
}


def cases(table):
    return [
        pytest.param(exercise, answer, id=f"{exercise} {name}")
        for exercise, answers in table.items()
        for name, answer in answers.items()
    ]


@pytest.mark.parametrize(("exercise", "answer"), cases(RIGHT))
def test_a_right_answer_is_accepted(exercise, answer, capsys):
    run(exercise, answer, NEEDS.get(exercise, ()))
    assert capsys.readouterr().out.startswith("Right. ")


@pytest.mark.parametrize(("exercise", "answer"), cases(WRONG))
def test_a_wrong_answer_gets_the_hint_that_fits(exercise, answer):
    source, hint = answer
    with pytest.raises(AssertionError, match=hint):
        run(exercise, source, NEEDS.get(exercise, ()))


def test_the_share_of_visits_that_the_time_limit_cuts():
    """From the start half of the episodes go to state 1, and stay for steps 1 to 19."""
    names = {"gym": gym}
    exec(textwrap.dedent(RIGHT["14"]["take the money"]), names)
    next_state, _, terminated = exercises.table(names["FatalLimit"])
    share = exercises.cut_share(next_state, terminated)
    assert share == pytest.approx([0.0, 1 / 19])


CHECKS = [name for name in CODE if name.endswith("-check")]


def test_every_check_has_at_least_three_right_and_three_wrong_answers():
    names = {name.removeprefix("ddpg-").removesuffix("-check") for name in CHECKS}
    assert names == set(RIGHT) == set(WRONG)
    assert all(len(table[name]) >= 3 for table in (RIGHT, WRONG) for name in names)


@pytest.mark.parametrize("check", CHECKS)
def test_an_untouched_answer_gets_a_friendly_sentence(check):
    exercise = check.removeprefix("ddpg-").removesuffix("-check")
    untouched = SOLUTION.sub("...  # your answer", CODE[f"ddpg-{exercise}-answer"])
    with pytest.raises(AssertionError, match=r"[.]$") as error:
        run(exercise, untouched, NEEDS.get(exercise, ()))
    assert "raised" not in str(error.value), error.value


def test_the_solutions_notebook_is_right_from_top_to_bottom(capsys):
    names = {}
    for source in CODE.values():
        exec(source, names)
    out = capsys.readouterr().out
    assert out.count("Right. ") >= len(CHECKS)


def test_the_notebook_is_made_of_nbgrader_cells():
    ids = [cell.metadata.nbgrader.grade_id for cell in NOTEBOOK.cells]
    assert len(set(ids)) == len(ids)
    points = 0
    for cell in NOTEBOOK.cells:
        grader = cell.metadata.nbgrader
        points += grader.get("points", 0)
        assert grader.schema_version == 3 and not grader.task
        assert ("points" in grader) == grader.grade
        assert grader.locked == (not grader.solution)
        if cell.cell_type == "code":
            assert bool(SOLUTION.search(cell.source)) == grader.solution, cell.source
    stated = [
        int(n)
        for cell in NOTEBOOK.cells
        for n in re.findall(r"^## Exercise .*\*\(\d+ min, (\d+) points\)\*$", cell.source, re.M)
    ]
    assert len(stated) >= 10 and 40 <= points <= 60
    assert sum(stated) == points
