"""Exercises of chapter 03: right answers pass, and each wrong one gets the hint that fits it."""

import re
import textwrap
from pathlib import Path

import gymnasium as gym
import nbformat
import numpy as np
import pytest

from pgcourse.exercises import ddpg_limit, ddpg_update

SOLUTIONS = Path(__file__).parents[2] / "notebooks" / "solutions" / "03_ddpg.ipynb"
NOTEBOOK = nbformat.read(SOLUTIONS, as_version=4)
CODE = {c.metadata.nbgrader.grade_id: c.source for c in NOTEBOOK.cells if c.cell_type == "code"}
SOLUTION = re.compile(r"### BEGIN SOLUTION.*?### END SOLUTION", re.DOTALL)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "nobody")
    monkeypatch.setattr("pgcourse.display.plots.display", lambda *_, **__: None)


@pytest.fixture
def short_training(monkeypatch):
    """The answers train for a moment; the notebook as a whole trains for real."""
    monkeypatch.setitem(vars(ddpg_update), "STEPS", 70)  # a locked module
    monkeypatch.setitem(vars(ddpg_update), "GOAL", -3_000.0)


def run(exercise, answer, needs=()):
    """Run an answer and then the check of an exercise, as the notebook would."""
    names = {}
    exec(CODE["ddpg-imports"], names)
    if exercise == "06":
        exec(CODE["ddpg-06-picture"], names)
    for other in needs:
        exec(CODE[f"ddpg-{other}-answer"], names)
    exec(textwrap.dedent(answer), names)
    exec(CODE[f"ddpg-{exercise}-check"], names)


NEEDS = {
    "04-agent": ("04",),
    "11-agent": ("11-target", "11-critics"),
    "12-buffer": ("12-formulas",),
}

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
PICTURES = "kinds = dict(zip(kinds_of, {!r}))"
NAMES = "kinds_of = ['saturating warm-up', 'large init_w', 'biased noise', 'white noise']\n"
RIGHT["06"] = {
    "dict": NAMES + PICTURES.format("CBAD"),
    "other order": "kinds = {'white noise': 'D', 'biased noise': 'A', 'large init_w': 'B', "
    "'saturating warm-up': 'C'}",
    "from the counts": NAMES + "kinds = dict(zip(kinds_of, sorted('CBAD', "
    "key=lambda k: [277, 730, 0, 0].index(counts[k][0]) + (k == 'D'))))",
}
WRONG["06"] = {
    "ends": (NAMES + PICTURES.format("BCAD"), "half of all go to the two ends"),
    "humps": (NAMES + PICTURES.format("CBDA"), "pushes one way"),
    "white at ends": (NAMES + PICTURES.format("DBAC"), "full at its ends"),
    "biased at ends": (NAMES + PICTURES.format("ACBD"), "can't do that"),
    "twice": (NAMES + PICTURES.format("CCAD"), "one kind"),
    "lower case": (NAMES + PICTURES.format("cbad"), "one of A, B, C, D"),
}
HALF = """
    def half_life_update(target, source, half_life):
        tau = {tau}
        return {{
            k: v + tau * (source[k] - v) if v.is_floating_point() else source[k]
            for k, v in target.items()
        }}"""
RIGHT["02"] = {
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
WRONG["02"] = {
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
RIGHT["03-number"] = {
    "formula": "sigma_white = 0.2 / (0.15 * 1.85) ** 0.5",
    "rounded": "sigma_white = 0.38",
    "simulated": """
        noise = optional.OUNoise(1, seed=0)
        trace = [noise.sample()[0] for _ in range(200_000)]
        sigma_white = np.std(trace[100:])""",
}
WRONG["03-number"] = {
    "variance": ("sigma_white = 0.04 / (0.15 * 1.85)", "variance"),
    "push": ("sigma_white = 0.2", "one push"),
    "theta": ("sigma_white = 0.2 / 0.15", "20,000 copies"),
    "root theta": ("sigma_white = 0.2 / (2 * 0.15) ** 0.5", "20,000 copies"),
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
RIGHT["08"] = {
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
    "thawed": LARGE.format(**SOUND | {"target": "copy.deepcopy(self.actor)"}),
    "state": LARGE.format(**SOUND | {"target": "Actor(3, 1).requires_grad_(False)"})
    + "\n            self.actor_target.load_state_dict(self.actor.state_dict())",
}
WRONG["08"] = {
    "small": (LARGE.format(**SOUND | {"actor": "Actor(3, 1)"}), "the old one"),
    "other size": (LARGE.format(**SOUND | {"actor": "Actor(3, 1, 1.0)"}), "should start in ±3"),
    "old target": (
        LARGE.format(**SOUND | {"target": "self.actor_target"}),
        "copy of the new actor",
    ),
    "same": (LARGE.format(**SOUND | {"target": "self.actor"}), "actor itself"),
    "own weights": (
        LARGE.format(**SOUND | {"target": "Actor(3, 1, 3.0).requires_grad_(False)"}),
        "copy of the new actor",
    ),
    "old learner": (
        LARGE.format(**SOUND | {"learner": "self.learners['actor']"}),
        "should step the weights of the new actor",
    ),
    "rate": (
        LARGE.format(**SOUND | {"learner": "self.learner(self.actor, 1e-3, self.actor_objective)"}),
        "at its own rate",
    ),
    "old follower": (
        LARGE.format(**SOUND | {"follower": "self.followers['actor']"}),
        "should move the new actor_target",
    ),
    "follows another": (
        LARGE.format(**SOUND | {"follower": "Follower(self.actor_target, self.critic)"}),
        "should follow the new actor",
    ),
}
RIGHT["09"] = {
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
FORWARDS = RIGHT["09"]["forwards"]
WRONG["09"] = {
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
RIGHT["10"] = {
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
WRONG["10"] = {
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
        windows = np.empty((batch_size, n, ring.shape[1]), ring.dtype)
        k = 0
        while k < n:
            windows[:, k] = ring[(first + k) % size]
            k += 1
        return windows"""),
        "without a Python loop",
    ),
    "flat": (WINDOWS.format("return ring[rng.integers(size, size=batch_size)]"), "shape"),
}
UPDATE = """
    def ddpg_update(nets, batch, gamma, tau):
        with torch.no_grad():
            next_action = nets.actor_target(batch.next_obs)
            next_q = nets.critic_target(batch.next_obs, next_action)
            y = batch.reward + gamma * (1 - batch.terminated) * next_q
        q = nets.critic(batch.obs, batch.action)
        loss_q = ((q - y) ** 2).mean()
        nets.critic_optimizer.zero_grad()
        loss_q.backward()
        nets.critic_optimizer.step()
        loss_mu = -nets.critic(batch.obs, nets.actor(batch.obs)).mean()
        nets.actor_optimizer.zero_grad()
        loss_mu.backward()
        nets.actor_optimizer.step()
        with torch.no_grad():
            for p, k in zip(nets.actor_target.parameters(), nets.actor.parameters()):
                p += tau * (k - p)
            for p, k in zip(nets.critic_target.parameters(), nets.critic.parameters()):
                p += tau * (k - p)
        return loss_q.item(), loss_mu.item()"""


def lines(source, first, last):
    """The lines of a source from the one that starts with `first` to the one with `last`."""
    rows = source.splitlines()
    a, b = (next(k for k, r in enumerate(rows) if r.strip().startswith(x)) for x in (first, last))
    return "\n".join(rows[a : b + 1]) + "\n"


CRITIC = lines(UPDATE, "nets.critic_optimizer.zero", "nets.critic_optimizer.step")
ACTOR = lines(UPDATE, "loss_mu =", "nets.actor_optimizer.step")
MOVE = UPDATE[UPDATE.index("        with torch.no_grad():\n            for") :]
MOVE = MOVE[: MOVE.index("        return")]
RIGHT["04"] = {
    "by hand": UPDATE,
    "the course's functions": """
        def ddpg_update(nets, batch, gamma, tau):
            obs, action, reward, next_obs, terminated = batch
            next_q = nets.critic_target(next_obs, nets.actor_target(next_obs))
            y = td_target(reward, next_q, terminated, gamma)
            first = critic_loss(nets.critic(obs, action), y)
            for p, g in zip(nets.critic.parameters(),
                            torch.autograd.grad(first, list(nets.critic.parameters()))):
                p.grad = g
            nets.critic_optimizer.step()
            nets.critic.requires_grad_(False)
            nets.actor.zero_grad()
            second = actor_loss(nets.critic(obs, nets.actor(obs)))
            second.backward()
            nets.actor_optimizer.step()
            nets.critic.requires_grad_(True)
            soft_update(nets.critic_target, nets.critic, tau)
            soft_update(nets.actor_target, nets.actor, tau)
            return [first, second]""",
    "whole state": UPDATE[: UPDATE.index("        with torch.no_grad():\n            for")]
    + """
        for slow, fast in ((nets.actor_target, nets.actor), (nets.critic_target, nets.critic)):
            new = fast.state_dict()
            slow.load_state_dict(
                {k: (1 - tau) * v + tau * new[k] for k, v in slow.state_dict().items()}
            )
        return loss_q.detach(), loss_mu.detach()""",
    "rows": UPDATE.replace(
        "y = batch.reward + gamma * (1 - batch.terminated) * next_q",
        "y = torch.where(batch.terminated > 0, batch.reward, batch.reward + gamma * next_q)",
    ).replace("((q - y) ** 2).mean()", "torch.nn.functional.mse_loss(q, y)"),
}


def slip(was, now, hint):
    """A wrong answer: the right one with something else in a place of it."""
    assert was in UPDATE, was
    return UPDATE.replace(was, now), hint


WRONG["04"] = {
    "leak": (
        UPDATE.replace("with torch.no_grad():\n            next_a", "if True:\n            next_a"),
        "flows into the slow copies",
    ),
    "fast target": slip("nets.critic_target(b", "nets.critic(b", "takes the fast critic"),
    "fast actor": slip("nets.actor_target(b", "nets.actor(b", "the fast actor's"),
    "truncation cuts": slip(
        "(1 - batch.terminated)",
        "(1 - batch.terminated - batch.truncated)",
        "cut the bootstrap at time limits",
    ),
    "truncation alone": slip("batch.terminated", "batch.truncated", "in the place of terminated"),
    "no flag": slip(" * (1 - batch.terminated)", "", "terminated is missing"),
    "upside down": slip("(1 - batch.terminated)", "batch.terminated", "upside down"),
    "no gamma": slip("gamma * (", "(", "γ is missing"),
    "own gamma": slip("gamma * (", "0.99 * (", "gamma is an argument"),
    "obs": (
        UPDATE.replace("batch.next_obs", "batch.obs"),
        "the target looks at obs",
    ),
    "matrix": slip("((q - y)", "((q[:, None] - y)", "make a matrix"),
    "sum": slip("** 2).mean()", "** 2).sum()", "critic's loss: take the mean"),
    "half": slip("((q - y) ** 2)", "(0.5 * (q - y) ** 2)", "without a half"),
    "another target": slip("batch.reward +", "2 * batch.reward +", "The critic's loss is another"),
    "no step": slip("nets.critic_optimizer.step()", "pass", "The critic did not move"),
    "uphill": slip("loss_q.backward()", "(-loss_q).backward()", "critic moves up that loss"),
    "joint loss": (
        UPDATE.replace(
            "        loss_q.backward()\n",
            "        (loss_q - nets.critic(batch.obs, nets.actor(batch.obs)).mean()).backward()\n",
        ),
        "Does another loss reach it",
    ),
    "critic goes down the actor's loss": (
        UPDATE.replace(
            "        nets.actor_optimizer.step()\n",
            "        nets.actor_optimizer.step()\n        nets.critic_optimizer.step()\n",
        ),
        "Does another loss reach it",
    ),
    "no zero_grad": slip(
        "nets.critic_optimizer.zero_grad()", "pass", "gradients of an earlier loss are left"
    ),
    "no zero_grad of the actor": slip(
        "nets.actor_optimizer.zero_grad()", "pass", "actor's first step is right"
    ),
    "sign": slip("loss_mu = -nets", "loss_mu = nets", "minus the mean"),
    "sign of the step": slip("loss_mu.backward()", "(-loss_mu).backward()", "actor moves up"),
    "order": (UPDATE.replace(ACTOR, "").replace(CRITIC, ACTOR + CRITIC), "order"),
    "both losses first": (
        UPDATE.replace(CRITIC, "").replace(
            "        nets.actor_optimizer.zero_grad()\n",
            CRITIC + "        nets.actor_optimizer.zero_grad()\n",
        ),
        "order. The critic learns first",
    ),
    "stored action": slip("nets.actor(batch.obs)", "batch.action", "no gradient reaches the actor"),
    "slow critic": slip("loss_mu = -nets.critic(", "loss_mu = -nets.critic_target(", "fast critic"),
    "critic's slow copy stays": slip(
        "in zip(nets.critic_target",
        "in [] and zip(nets.critic_target",
        "critic_target did not move",
    ),
    "actor's slow copy stays": slip(
        "in zip(nets.actor_target", "in [] and zip(nets.actor_target", "actor_target did not move"
    ),
    "slow copies first": (
        UPDATE.replace(MOVE, "").replace(
            "        with torch.no_grad():\n            next",
            MOVE + "        with torch.no_grad():\n            next",
        ),
        "the slow copies move last",
    ),
    "slow copies before the steps": (
        UPDATE.replace(MOVE, "").replace(CRITIC, MOVE + CRITIC),
        "weights of before the update",
    ),
    "copied": slip("p += tau * (k - p)", "p.copy_(k)", "became a copy"),
    "tau the other way": slip("p += tau * (k - p)", "p += (1 - tau) * (k - p)", "keeps τ"),
    "own tau": slip("p += tau *", "p += 0.005 *", "argument tau"),
    "away": slip("tau * (k - p)", "tau * (p - k)", "moves away"),
    "in place": (
        UPDATE.replace("with torch.no_grad():\n            for", "if True:\n            for"),
        "inside torch.no_grad",
    ),
    "swapped": slip(
        "return loss_q.item(), loss_mu.item()",
        "return loss_mu.item(), loss_q.item()",
        "comes first",
    ),
    "one number": slip(", loss_mu.item()", "", "two numbers"),
    "crash": slip("batch.reward", "batch.rewards", "raised AttributeError"),
}
MY = """
    class MyAgent(DDPGAgent):
        def update(self, batch):
            {}"""
PAIR = "loss_q, loss_mu = ddpg_update(exercise.parts(self), batch, self.gamma, self.tau)\n"
RIGHT["04-agent"] = {
    "pair": MY.format(PAIR + " " * 12 + 'return {"critic_loss": loss_q, "actor_loss": loss_mu}'),
    "zip": MY.format(
        "found = ddpg_update(exercise.parts(self), batch, self.gamma, self.tau)\n            "
        'return dict(zip(("critic_loss", "actor_loss"), found))'
    ),
    "own parts": """
    class MyAgent(DDPGAgent):
        def build(self):
            super().build()
            self.steps = [self.learners[name].optimizer for name in ("actor", "critic")]

        def update(self, batch):
            nets = exercise.Parts(
                self.actor, self.critic, self.actor_target, self.critic_target, *self.steps
            )
            first, second = ddpg_update(nets, batch, self.gamma, self.tau)
            return {"actor_loss": second, "critic_loss": first}""",
}
WRONG["04-agent"] = {
    "own numbers": (
        RIGHT["04-agent"]["pair"].replace("self.gamma, self.tau", "0.99, self.tau"),
        "gamma is an argument",
    ),
    "own tau": (
        RIGHT["04-agent"]["pair"].replace("self.gamma, self.tau", "self.gamma, 0.005"),
        "argument tau",
    ),
    "twice": (
        MY.format("super().update(batch)\n            " + PAIR)
        + '            return {"critic_loss": loss_q, "actor_loss": loss_mu}',
        "agent's own update",
    ),
    "pair": (MY.format(PAIR + "            return loss_q, loss_mu"), "return a dict"),
    "names": (
        MY.format(PAIR + '            return {"critic": loss_q, "actor": loss_mu}'),
        "return a dict",
    ),
    "no update": ("class MyAgent(DDPGAgent): pass", "does not override"),
    "no agent": ("class MyAgent: pass", "Derive from DDPGAgent"),
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
RIGHT["05"] = {
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
WRONG["05"] = {
    "nothing tempts": (
        FATAL.format(n=1, step="return 0, 1.0, False, False, {}"),
        "best action stays the best",
    ),
    "ends early": (
        FATAL.format(n=1, step="return 0, 1.0, True, False, {}"),
        "No random episode reaches",
    ),
    "an offer in every step": (
        FATAL.format(
            n=1,
            step="""return 0, 40.0 if action == 1 else 1.0, bool(action), False, {}""",
        ),
        "Offer an end once",
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
RIGHT["11-target"] = {
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
WRONG["11-target"] = {
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
RIGHT["11-critics"] = {
    "copy": TWIN.format(**TWO),
    "thawed": TWIN.format(**TWO | {"target": "copy.deepcopy(self.critic2)"}),
    "slow_copy": TWIN.format(**TWO | {"target": "slow_copy(self.critic2)"}),
    "adam": "from pgcourse.agents.off_policy import Learner\n"
    + textwrap.dedent(TWIN.format(**TWO | {"learner": ADAM2})),
    "state": TWIN.format(**TWO | {"target": STATE}),
    "after init": TWIN.format(**TWO)
    .replace("build(self)", "__init__(self, *args, **options)")
    .replace("build()", "__init__(*args, **options)"),
}
WRONG["11-critics"] = {
    "alike": (TWIN.format(**TWO | {"critic": "copy.deepcopy(self.critic)"}), "start with equal"),
    "same": (TWIN.format(**TWO | {"critic": "self.critic"}), "another name"),
    "same target": (TWIN.format(**TWO | {"target": "self.critic2"}), "critic2 itself"),
    "other target": (
        TWIN.format(**TWO | {"target": "self.critic_target"}),
        "copy of the new critic2",
    ),
    "optimiser": (
        TWIN.format(**TWO | {"learner": TWO["learner"].replace("self.critic2,", "self.critic,")}),
        "weights of the new critic2",
    ),
    "rate": (
        TWIN.format(**TWO | {"learner": TWO["learner"].replace("critic_lr", "actor_lr")}),
        "at its own rate",
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
        "should move the new critic2_target",
    ),
    "old critic": (
        TWIN.format(**TWO | {"follower": "Follower(self.critic2_target, self.critic)"}),
        "should follow the new critic2",
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
RIGHT["11-agent"] = {
    "objectives": AGENT,
    "backward": BACKWARD,
    "written out": BY_HAND,
    "own function": AGENT.replace(
        LEAST,
        "y1 = y2 = clipped_target(batch.reward, torch.stack([q1, q2]), batch.terminated, "
        "self.gamma)",
    ),
}
WRONG["11-agent"] = {
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
    "always the second": (AGENT.replace("torch.minimum(q1, q2)", "q2"), "the other critic's alone"),
    "fast actor": (AGENT.replace("self.actor_target(", "self.actor("), "actor_target belongs"),
    "fast actor, one critic": (
        AGENT.replace("_, loss = self.both", "_, loss = self.fast").rstrip()
        + AGENT[AGENT.index("\n        def both") : AGENT.index("\n        def critic_obj")]
        .replace("both", "fast")
        .replace("self.actor_target(", "self.actor("),
        "critic2's loss.* actor_target belongs",
    ),
    "obs": (
        AGENT.replace("batch.next_obs", "batch.obs"),
        "should look at next_obs",
    ),
    "fast critics": (
        AGENT.replace("self.critic_target(", "self.critic(").replace(
            "self.critic2_target(", "self.critic2("
        ),
        "slow copies belong",
    ),
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
        "gradient of an earlier batch",
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
        def update(self, batch):
            super().update(batch)
    """,
        "An update should return",
    ),
    "base": (AGENT.replace("(TwinCritics)", "(DDPGAgent)"), "Derive from your TwinCritics"),
}
FORMULAS = """
    probabilities = lambda p, alpha: {p}
    importance_weights = lambda drawn, n, beta: {w}"""
BOTH = {"p": "p**alpha / (p**alpha).sum()", "w": "(drawn.min() / drawn) ** beta"}
RIGHT["12-formulas"] = {
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
WRONG["12-formulas"] = {
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
RIGHT["12-buffer"] = {
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
WRONG["12-buffer"] = {
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

# Answers that were once given marks though wrong, or refused though right.
SOFT = HALF.format(tau="1 - 0.5 ** (1 / half_life)")
WEIGHT = "v.is_floating_point()"
RIGHT["02"]["one by one"] = """
    @torch.no_grad()
    def half_life_update(target, source, half_life):
        keep, new = 2 ** (-1 / half_life), {}
        for k in target:
            if target[k].dtype in (torch.float32, torch.float64):
                new[k] = torch.tensor(keep * target[k].numpy() + (1 - keep) * source[k].numpy())
            else:
                new[k] = torch.tensor(source[k])
        return new"""
WRONG["02"] |= {
    "table": (HALF.format(tau="{10.0: 0.066967, 1.0: 0.5, 3.0: 0.206299}[half_life]"), "KeyError"),
    "table of numbers": (
        """
        def half_life_update(target, source, half_life):
            tau = 1 - 0.5 ** (1 / half_life)
            w, b = torch.tensor([[tau, 8 - 8 * tau]]), torch.tensor([1 - 2 * tau])
            return {"w": w, "b": b, "n": torch.tensor(7)}""",
        "keys should be",
    ),
    "keys": (
        """
        def half_life_update(target, source, half_life):
            tau = 1 - 0.5 ** (1 / half_life)
            new = {k: target[k] + tau * (source[k] - target[k]) for k in ("w", "b")}
            return new | {"n": source["n"]}""",
        "KeyError",
    ),
    "whole half-lives": (
        SOFT.replace("1 / half_life", "1 / max(1, int(half_life))"),
        "any number above 0",
    ),
    "rounded": (
        SOFT.replace("1 / half_life", "1 / max(1, round(half_life))"),
        "any number above 0",
    ),
    "rounded up": (SOFT.replace("1 / half_life", "1 / np.ceil(half_life)"), "any number above 0"),
    "at least 1": (SOFT.replace("1 / half_life", "1 / max(half_life, 1)"), "any number above 0"),
    "by shape": (SOFT.replace(WEIGHT, "v.ndim > 0"), "stays an integer"),
    "by name": (SOFT.replace(WEIGHT, "k != 'n'"), "stays an integer"),
    "int64": (SOFT.replace(WEIGHT, "v.dtype != torch.int64"), "stays an integer"),
    "float32": (SOFT.replace(WEIGHT, "v.dtype == torch.float32"), "same fraction"),
    "7": (SOFT.replace("else source[k]", "else torch.tensor(7)"), "taken over"),
    "counts on": (SOFT.replace("else source[k]", "else v + 4"), "taken over"),
    "larger": (SOFT.replace("else source[k]", "else torch.maximum(v, source[k])"), "taken over"),
    "sizes": (SOFT.replace("source[k] - v", "source[k] - v.abs()"), "same fraction"),
}
WRONG["03-number"] |= {
    "rounded down": ("sigma_white = 0.37", "20,000 copies"),
    "root": ("sigma_white = 0.15**0.5", "20,000 copies"),
}
BOTH_LOSSES = "return loss_q.item(), loss_mu.item()"
RIGHT["04"] |= {
    "tensor": UPDATE.replace(BOTH_LOSSES, "return torch.stack([loss_q, loss_mu])"),
    "array": UPDATE.replace(BOTH_LOSSES, "return np.array([loss_q.item(), loss_mu.item()])"),
    "generator": UPDATE.replace(BOTH_LOSSES, "return (x.item() for x in (loss_q, loss_mu))"),
    "map": UPDATE.replace(BOTH_LOSSES, "return map(float, (loss_q.detach(), loss_mu.detach()))"),
    "float32": UPDATE.replace("gamma * (1 - b", "torch.tensor(gamma) * (1 - b"),
}
ANOTHER = "critic's loss is another"
WRONG["04"] |= {
    "gamma of the check": slip("gamma * (", "0.9 * (", ANOTHER),
    "tau of the check": slip("tau * (k - p)", "0.1 * (k - p)", "not where Eq. 9"),
    "32 rows": slip("((q - y) ** 2).mean()", "((q - y) ** 2).sum() / 32", ANOTHER),
    "32 rows of the actor": slip(
        "nets.actor(batch.obs)).mean()", "nets.actor(batch.obs)).sum() / 32", "actor's loss"
    ),
    "every fourth row": slip(
        "(1 - batch.terminated)", "(torch.arange(len(batch.reward)) % 4 != 0)", ANOTHER
    ),
    "changes rewards": slip(
        "y = batch.reward + gamma * (1 - batch.terminated) * next_q",
        "y = batch.reward.add_(gamma * (1 - batch.terminated) * next_q)",
        "changes the batch",
    ),
    "changes flags": slip(
        "(1 - batch.t", "batch.terminated.mul_(-1).add_(1) * (1 + 0 * batch.t", "changes the batch"
    ),
    "tau of one copy": slip(
        "nets.critic.parameters()):\n                p += tau",
        "nets.critic.parameters()):\n                p += 0.1",
        "not where Eq. 9",
    ),
    "Huber": slip(
        "((q - y) ** 2).mean()", "2 * torch.nn.functional.huber_loss(q, y, delta=5.0)", ANOTHER
    ),
    "clipped rewards": slip("batch.reward +", "batch.reward.clamp(-3, 3) +", ANOTHER),
    "clipped target": slip("q = nets.critic(", "y = y.clamp(-10, 10); q = nets.critic(", ANOTHER),
}
AGENTS = RIGHT["04-agent"]["pair"]
RIGHT["04-agent"]["more numbers"] = AGENTS.replace("loss_mu}", 'loss_mu, "r": batch.reward[0]}')
WRONG["04-agent"] |= {
    "the agent's own": (MY.format("return super().update(batch)"), "agent's own update"),
    "the class's own": (
        MY.format("""found = DDPGAgent.update(self, batch)
            return {"critic_loss": found["critic_loss"], "actor_loss": found["actor_loss"]}"""),
        "agent's own update",
    ),
    "numbers of the check": (AGENTS.replace("self.gamma, self.tau", "0.9, 0.1"), ANOTHER),
    "text": (AGENTS.replace(": loss_q", ': "loss_q"'), "should be a number"),
}
TAKE = RIGHT["05"]["take the money"]
CLOCK = TAKE.replace("self.obs = 0\n", "self.obs = self.t = 0\n").replace(
    "        if self.obs == 0 and", "        self.t += 1\n            if self.obs == 0 and"
)
RIGHT["05"]["other numbers"] = """
    class FatalLimit(gym.Env):
        observation_space, action_space = gym.spaces.Discrete(50), gym.spaces.Discrete(5)

        def reset(self, seed=None, options=None):
            self.obs = 7
            return np.array(7), {}

        def step(self, action):
            if self.obs == 7 and action == 4:
                return np.int32(7), np.float32(30), np.bool_(True), np.bool_(False), {}
            self.obs = 3
            return np.int64(3), torch.tensor(1.0), 0, False, {}"""
RIGHT["05"]["shorter corridor"] = FATAL.format(
    n=40,
    step="""if self.obs == 0 and action == 0:
                return 39, 20.0, True, False, {}
            self.obs = min(self.obs + 1, 15)
            return self.obs, float(self.obs == 15), False, False, {}""",
)
DRAWN = "super().reset(seed=seed)\n            self.obs = {}\n            return self.obs, {{}}"
START = "self.obs = 0\n            return 0, {}"
WRONG["05"] |= {
    "a drawn prize": (
        TAKE.replace(
            "self.obs = 0\n", "super().reset(seed=seed)\n            self.obs = 0\n"
        ).replace("40.0", "40.0 + self.np_random.normal()"),
        "one path twice differs",
    ),
    "a drawn start": (
        TAKE.replace(START, DRAWN.format("int(self.np_random.choice([0, 2]))"))
        .replace("Discrete(2)\n            self.a", "Discrete(3)\n            self.a")
        .replace("self.obs == 0 and", "self.obs != 1 and"),
        "always return one obs",
    ),
    "the start of one seed": (
        TAKE.replace(START, DRAWN.format("0 if seed == 0 else 1")),
        "best action stays the best",
    ),
    "a clock after the limit": (
        CLOCK.replace("return 1, 1.0,", "return 1, 1.0 if self.t < 22 else -50.0,"),
        "obs and action alone",
    ),
    "an end after the limit": (
        CLOCK.replace("return 1, 1.0, False", "return 1, 1.0, self.t > 24"),
        "obs and action alone",
    ),
    "a life beyond the limit": (
        RIGHT["05"]["shorter corridor"].replace("20.0", "5.0").replace("15", "31"),
        "lie beyond the 20 steps",
    ),
    "a treasure beyond the limit": (
        RIGHT["05"]["shorter corridor"]
        .replace("20.0", "5.0")
        .replace("15", "31")
        .replace("float(self.obs == 31), False", "100.0 * (self.obs == 30), self.obs == 30"),
        "lie beyond the 20 steps",
    ),
}
WRONG["06"] |= {
    "other counts": (
        NAMES + PICTURES.format("ABCD") + "\ncounts.update(A=counts['C'], C=counts['A'])",
        "no longer what the notebook drew",
    ),
    "lists": (NAMES + "kinds = {k: [v] for k, v in zip(kinds_of, 'CBAD')}", "with a letter"),
}
PULL, PUSH = "noise + theta * (mu - noise) * dt", " + sigma * dt**0.5 * epsilon"
RIGHT["07"]["tuple"] = (
    OU + "tuple(n + theta * dt * (mu - n) + sigma * dt**0.5 * e for n, e in zip(noise, epsilon))"
)
WRONG["07"] |= {
    "whole mu": (OU + "noise + theta * mu - theta * dt * noise" + PUSH, "way from each number"),
    "slow noise": (OU + "noise + theta * (mu - noise * dt)" + PUSH, "way from each number"),
    "no mu below 1": (
        OU + "noise + theta * (mu * (dt == 1) - noise) * dt" + PUSH,
        "way from each number",
    ),
    "mean": (
        OU + "noise + theta * (mu - (noise if dt == 1 else noise.mean())) * dt" + PUSH,
        "way from each number",
    ),
    "sigma and dt": (OU + PULL + " + sigma ** (1 / dt) * dt**0.5 * epsilon", "σ, dt and each"),
    "one push": (
        OU + PULL + " + sigma * dt**0.5 * (epsilon if dt == 1 else epsilon[0])",
        "each number's own",
    ),
    "two numbers": (OU + f"np.zeros(2) + ({PULL}{PUSH})[:2]", "shape"),
    "table": (
        OU + PULL + " + sigma * {0.25: 0.5, 0.5: 0.7071, 1.0: 1.0}[dt] * epsilon",
        "KeyError",
    ),
    "pulled push": (OU + PULL + PUSH + " * (1 - theta * (1 - dt))", "alone"),
}
INPLACE, INIT = RIGHT["08"]["in place"], "torch.nn.init.uniform_(p, -3, 3)"
MADE = LARGE.format(**SOUND)
MORE = "\n            "
RIGHT["08"] |= {
    "a thousandfold": INPLACE.replace(INIT, "p.data *= 1000"),
    "own objective": LARGE.format(
        **SOUND | {"learner": "self.learner(self.actor, self.actor_lr, self.climb)"}
    )
    + """

        def climb(self, batch):
            loss = actor_loss(self.critic(batch.obs, self.actor(batch.obs)))
            return loss, {"actor_loss": loss}""",
    "hidden": LARGE.format(
        **SOUND | {"actor": "Actor(self.in_dim, self.act_dim, 3.0, self.hidden)"}
    ),
}
LEARN = "self.learner(self.actor, self.actor_lr, self.{}_objective{})"
VERY = "holds the very weights"
WRONG["08"] |= {
    "shallow": (LARGE.format(**SOUND | {"target": "copy.copy(self.actor)"}), VERY),
    "assign": (
        LARGE.format(**SOUND | {"target": "Actor(3, 1)"})
        + f"{MORE}self.actor_target.load_state_dict(self.actor.state_dict(), assign=True)",
        VERY,
    ),
    "one net": (MADE + f"{MORE}self.actor_target.net = self.actor.net", VERY),
    "objective": (
        LARGE.format(**SOUND | {"learner": LEARN.format("critic", "")}),
        "goes down another loss",
    ),
    "every second": (
        LARGE.format(**SOUND | {"learner": LEARN.format("actor", ", 2")}),
        "in every update",
    ),
    "follows every second": (
        LARGE.format(**SOUND | {"follower": "Follower(self.actor_target, self.actor, 2)"}),
        "in every update",
    ),
    "SGD": (
        MADE + f"{MORE}self.learners['actor'].optimizer = torch.optim.SGD("
        "self.actor.parameters(), self.actor_lr)",
        "with Adam",
    ),
    "new list": (
        MADE + f"{MORE}self.learners = {{'actor': self.learners['actor']}}",
        "learners should keep the other",
    ),
    "new followers": (
        MADE + f"{MORE}self.followers = {{'actor': self.followers['actor']}}",
        "followers should keep the other",
    ),
    "order": (
        MADE + f"{MORE}self.learners = {{k: self.learners[k] for k in ('actor', 'critic')}}",
        "critic learns first",
    ),
    "all 3": (INPLACE.replace(INIT, "torch.nn.init.constant_(p, 3.0)"), "spread over all"),
    "positive": (INPLACE.replace("-3, 3", "0, 3"), "spread over all"),
    "one weight": (INPLACE.replace(INIT, "p.data.view(-1)[0] = 2.9"), "spread over all"),
    "small bias": (INPLACE.replace("(last.weight, last.bias)", "[last.weight]"), "bias"),
    "large bias": (INPLACE.replace(INIT, INIT + "; last.bias.data.fill_(30)"), "bias"),
    "small layers": (
        LARGE.format(**SOUND | {"actor": "Actor(3, 1, 3.0, hidden=(100, 100))"}),
        "as large as those",
    ),
    "all layers": (
        INPLACE.replace("(last.weight, last.bias)", "self.actor.parameters()"),
        "Only the last layer",
    ),
    "other critic": (MADE + f"{MORE}self.critic = Critic(4)", "critic_target should"),
    "critic's copy": (MADE + f"{MORE}self.critic_target = Critic(4)", "critic_target should"),
    "critic's rate": (
        MADE + f"{MORE}self.learners['critic'].optimizer.param_groups[0]['lr'] = 1e-4",
        "critic should learn at its own rate",
    ),
}
RIGHT["09"] |= {
    "list": RIGHT["09"]["loops"].replace("torch.tensor(out)", "out"),
    "numpy": """
        def n_step_target(reward, next_q, terminated, truncated, gamma):
            r, q, d, t = (x.numpy() for x in (reward, next_q, terminated, truncated))
            y = q[:, -1]
            for k in range(r.shape[1] - 1, -1, -1):
                y = r[:, k] + gamma * np.where(d[:, k], 0, np.where(t[:, k], q[:, k], y))
            return y""",
}
WRONG["09"] |= {
    "gammas of the check": (
        FORWARDS.replace("reward.shape\n", "reward.shape; gamma = 0.5 if gamma == 0.5 else 0.9\n"),
        "one-step target of Eq. 6|where the first step ends|Where the first",
    ),
    "64 rows": (FORWARDS.replace("torch.zeros(B)", "torch.zeros(B)[:64]"), "RuntimeError|shape"),
}
FIRST = (
    "low = max(0, stored - size)\n        first = rng.integers(low, stored - n + 1, batch_size)\n"
)
NUMBERS = RIGHT["10"]["numbers"]
INTEGERS = "rng.integers(low, stored - n + 1, batch_size)"
AHEAD = "(k + np.arange(n)) % size"
RIGHT["10"] |= {
    "wrapped": WINDOWS.format(
        FIRST
        + """        rows = np.add.outer(first, np.arange(n))
        return np.take(ring, rows, axis=0, mode="wrap")"""
    ),
    "choice": NUMBERS.replace(INTEGERS, "rng.choice(np.arange(low, stored - n + 1), batch_size)"),
}
NOLOOP = "without a Python loop"
WRONG["10"] |= {
    "2,000 windows": (NUMBERS.replace("1, batch_size", "1, 2_000"), "shape"),
    "two columns": (NUMBERS.replace("% size]", "% size].reshape(-1, n, 2)"), "reshape|shape"),
    "10 rows": (
        WINDOWS.format(
            FIRST + "        return ring[(first[:, None] + np.arange(n)) % size]"
        ).replace("len(ring)", "min(len(ring), 7)"),
        "oldest one|never written|no window|successive|newest|shape",
    ),
    "map": (
        WINDOWS.format(
            FIRST + f"        one = lambda k: ring[{AHEAD}]\n"
            "        return np.stack(list(map(one, first)))"
        ),
        NOLOOP,
    ),
    "vectorize": (
        WINDOWS.format(
            FIRST + f"        one = lambda k: ring[{AHEAD}]\n"
            "        return np.vectorize(one, signature='()->(n,d)')(first)"
        ),
        NOLOOP,
    ),
    "apply": (
        WINDOWS.format(
            FIRST + f"        one = lambda k: ring[{AHEAD}]\n"
            "        return np.apply_along_axis(one, 1, first[:, None])"
        ),
        NOLOOP,
    ),
    "helper": (
        "def pick(ring, first, n):\n"
        "    return np.stack([ring[(k + np.arange(n)) % len(ring)] for k in first])\n"
        + textwrap.dedent(WINDOWS.format(FIRST + "        return pick(ring, first, n)")),
        NOLOOP,
    ),
    "recursion": (
        "def pick(ring, k, n):\n"
        "    rows = ring[k % len(ring)][:, None]\n"
        "    return rows if n == 1 else np.concatenate([rows, pick(ring, k + 1, n - 1)], 1)\n"
        + textwrap.dedent(WINDOWS.format(FIRST + "        return pick(ring, first, n)")),
        NOLOOP,
    ),
    "copied rng": (NUMBERS.replace("rng.integers", "copy.deepcopy(rng).integers"), "rng itself"),
    "without replacement": (
        NUMBERS.replace(
            INTEGERS, "np.resize(rng.permutation(np.arange(low, stored - n + 1)), batch_size)"
        ),
        "rng itself|by itself|whatever windows",
    ),
    "in turn": (
        NUMBERS.replace(
            INTEGERS, "low + (rng.integers(1000) + np.arange(batch_size)) % (stored - n + 1 - low)"
        ),
        "rng itself|whatever windows",
    ),
    "no single window": (
        NUMBERS.replace(INTEGERS, INTEGERS + " if stored > n else np.ones(batch_size, int)"),
        "never written",
    ),
}
RIGHT["11-target"] |= {
    "numpy": CLIPPED + "(reward + gamma * (1 - terminated) * next_q.detach().numpy().min(0))",
    "list": CLIPPED
    + "[float(r + gamma * (1 - d) * min(q)) for r, q, d in zip(reward, next_q.T, terminated)]",
}
EACH = "values of each row"
TD = CLIPPED + "td_target(reward, {}, terminated, gamma)"
WRONG["11-target"] |= {
    "the last": (TD.format("next_q[-1]"), EACH),
    "one critic": (TD.format("next_q[next_q.sum(dim=1).argmin()]"), EACH),
    "first and last": (TD.format("torch.minimum(next_q[0], next_q[-1])"), EACH),
    "three": (TD.format("next_q[:3].amin(0)"), EACH),
    "gammas": (
        TD.format("next_q.amin(0)").replace(" gamma)", " 0.5 if gamma == 0.5 else 1.0)"),
        EACH,
    ),
    "rewards": (TD.format("next_q.amin(0)").replace("(reward,", "((reward > 0).float(),"), EACH),
    "row 1": (
        CLIPPED + "(reward + gamma * (torch.arange(len(reward)) != 1) * next_q.amin(0)).detach()",
        EACH + "|One critic",
    ),
}
TWINS = TWIN.format(**TWO)
BETWEEN = '            self.learners["c'
LEARN2 = "self.learner(self.critic2, self.critic_lr, {})"
RIGHT["11-critics"] |= {
    "lambda": TWIN.format(
        **TWO | {"learner": LEARN2.format("lambda batch: self.critic2_objective(batch)")}
    ),
    "actor last": TWINS.replace(
        BETWEEN, '            actor = self.learners.pop("actor")\n' + BETWEEN
    ).replace(
        "            self.followers",
        '            self.learners["actor"] = actor\n            self.followers',
    ),
}
WRONG["11-critics"] |= {
    "shallow": (TWIN.format(**TWO | {"target": "copy.copy(self.critic2)"}), VERY),
    "assign": (
        TWIN.format(
            **TWO | {"target": STATE.replace("state_dict())", "state_dict(), assign=True)")}
        ),
        VERY,
    ),
    "every second": (
        TWIN.format(**TWO | {"learner": LEARN2.format("self.critic2_objective, 2")}),
        "in every update",
    ),
    "follows every second": (
        TWIN.format(**TWO | {"follower": "Follower(self.critic2_target, self.critic2, 2)"}),
        "in every update",
    ),
    "actor's objective": (
        TWIN.format(**TWO | {"learner": LEARN2.format("self.actor_objective")}),
        "loss of its own",
    ),
    "critic's objective": (
        TWIN.format(**TWO | {"learner": LEARN2.format("lambda b: self.critic_objective(b)")}),
        "loss of its own",
    ),
    "SGD": (
        TWINS.replace(
            "            self.followers",
            '            self.learners["critic2"].optimizer = torch.optim.SGD(\n'
            "                self.critic2.parameters(), self.critic_lr)\n"
            "            self.followers",
        ),
        "with Adam",
    ),
    "alike but for the last layer": (
        TWIN.format(**TWO | {"critic": "copy.deepcopy(self.critic)"}).replace(
            BETWEEN,
            "            torch.nn.init.uniform_(self.critic2.net[-1].weight)\n"
            "            self.critic2_target = slow_copy(self.critic2)\n" + BETWEEN,
        ),
        "start with equal",
    ),
    "nearly alike": (
        TWIN.format(**TWO | {"critic": "copy.deepcopy(self.critic)"}).replace(
            "            self.critic2_target",
            "            self.critic2.net[-1].bias.data += 1e-6\n            self.critic2_target",
            1,
        ),
        "start with equal",
    ),
    "own seed": (
        TWINS.replace("self.critic2 =", "torch.manual_seed(0)\n            self.critic2 =", 1),
        "another seed",
    ),
    "inputs": (TWIN.format(**TWO | {"critic": "Critic(self.obs_dim)"}), "as large as those"),
    "layers": (TWIN.format(**TWO | {"critic": "Critic(4, hidden=(8,))"}), "as large as those"),
    "new actor": (
        TWINS.replace("super().build()", "super().build()\n            self.actor = Actor(3, 1)"),
        "actor_target should start",
    ),
    "critic's copy": (
        TWINS.replace(BETWEEN, "            self.critic_target = self.critic2_target\n" + BETWEEN),
        "critic_target should start",
    ),
    "actor's learner": (
        TWINS.replace(
            BETWEEN, '            self.learners["actor"] = self.learners["critic"]\n' + BETWEEN
        ),
        "weights of the new actor",
    ),
}
CLIMB = """
        def actor_objective(self, batch):
            loss = actor_loss({})
            return loss, {{"actor_loss": loss}}
    """
BUILD = """
        def build(self):
            super().build()
            {}
    """
Q1, Q2 = (f"self.critic{k}(batch.obs, self.actor(batch.obs))" for k in ("", "2"))
STEP_UP = "actor is not where a step up"
RIGHT["11-agent"]["critic2 first"] = AGENT + BUILD.format(
    "self.learners = {k: self.learners[k] for k in ('critic2', 'critic', 'actor')}"
)
WRONG["11-agent"] |= {
    "climbs critic2": (AGENT + CLIMB.format(Q2), STEP_UP),
    "climbs the smaller": (AGENT + CLIMB.format(f"torch.minimum({Q1}, {Q2})"), STEP_UP),
    "climbs at next_obs": (AGENT + CLIMB.format(Q1.replace(".obs", ".next_obs")), STEP_UP),
    "climbs half": (AGENT + CLIMB.format(Q1 + "[:16]"), STEP_UP),
    "actor first": (
        AGENT
        + BUILD.format(
            "self.learners = {k: self.learners[k] for k in ('actor', 'critic', 'critic2')}"
        ),
        STEP_UP,
    ),
    "gamma of the check": (AGENT.replace("self.gamma", "0.9"), ANOTHER),
    "tau of the check": (BY_HAND.replace("self.tau", "0.1"), "τ is"),
    "32 rows": (
        AGENT.replace("loss1, loss2\n", "loss1 * len(batch.reward) / 32, loss2\n", 2).replace(
            "loss1, loss2 =", "loss1, loss2 ="
        ),
        ANOTHER,
    ),
    "flags of the check": (
        AGENT.replace("batch.terminated", "1.0 * (torch.arange(len(batch.reward)) % 4 == 0)"),
        ANOTHER,
    ),
    "records nothing": (
        AGENT.replace('"critic_loss": loss', '"critic_loss": loss * 0'),
        "records another number",
    ),
    "records the other": (
        AGENT.replace('"critic2_loss": loss', '"critic2_loss": self.both(batch)[0]'),
        "records another number",
    ),
    "every second": (AGENT + BUILD.format("self.learners['critic2'].every = 2"), "should return"),
    "follows every second": (
        AGENT + BUILD.format("self.followers['critic'].every = 2"),
        "critic_target did not move",
    ),
}
RIGHT["12-formulas"]["lists"] = FORMULAS.format(
    p="[x**alpha / sum(y**alpha for y in p) for x in p]",
    w="[(min(drawn) / d) ** beta for d in drawn]",
)
WRONG["12-formulas"] |= {
    "alphas": (
        FORMULAS.format(**BOTH | {"p": "{0: p**0 / 3, 0.5: p**0.5 / 7, 1: p / 4}[alpha]"}),
        "KeyError",
    ),
    "half alphas": (
        FORMULAS.format(**BOTH | {"p": BOTH["p"].replace("alpha", "(np.rint(2 * alpha) / 2)")}),
        "to the power α first",
    ),
    "half betas": (
        FORMULAS.format(**BOTH | {"w": "(drawn.min() / drawn) ** (np.rint(2 * beta) / 2)"}),
        "to the power −β",
    ),
    "the last is rarest": (
        FORMULAS.format(**BOTH | {"w": "(drawn[-1] / drawn) ** beta"}),
        "to the power −β|largest",
    ),
    "two rows": (FORMULAS.format(**BOTH | {"p": BOTH["p"] + " if alpha else [0.5, 0.5]"}), "shape"),
}
ERRORS = "self.priority[self.drawn] = np.abs(td_error) + 1e-6"
COLUMNS = "Batch(*(column[self.drawn] for column in self.data))"
RIGHT["12-buffer"]["loop over a batch"] = BUFFER.replace(
    ERRORS,
    """for k in range(self.batch_size):
                self.priority[self.drawn[k]] = abs(td_error[k]) + 1e-6""",
)
WRONG["12-buffer"] |= {
    "no beta": (BUFFER.replace("** self.beta", "** 1.0"), "Use self.beta"),
    "alpha 0 or 1": (BUFFER.replace("** self.alpha", "** (self.alpha > 0)"), "Use self.alpha"),
    "priority to the power": (
        BUFFER.replace(ERRORS, ERRORS.replace("= ", "= (") + ") ** self.alpha").replace(
            "[: len(self)] ** self.alpha", "[: len(self)]"
        ),
        "holds |δ|".replace("|", r"\|"),
    ),
    "clipped": (BUFFER.replace("np.abs(td_error)", "np.abs(td_error).clip(0, 4.5)"), "holds"),
    "large epsilon": (BUFFER.replace("1e-6", "0.01"), "ε should be smaller"),
    "larger epsilon": (BUFFER.replace("1e-6", "1e-3"), "ε should be smaller"),
    "at least 1": (
        BUFFER.replace("self.priority.max()", "max(1, self.priority.max())"),
        "new transition gets 1",
    ),
    "the latest": (
        BUFFER.replace("self.priority.max()", "self.priority[(self.stored - 1) % self.size]"),
        "new transition gets|largest priority",
    ),
    "first rows of one column": (
        BUFFER.replace(COLUMNS, f"{COLUMNS}._replace(next_obs=self.data.obs[: self.batch_size])"),
        "next_obs of the batch",
    ),
    "obs twice": (
        BUFFER.replace(COLUMNS, f"{COLUMNS}._replace(next_obs=self.data.obs[self.drawn])"),
        "next_obs of the batch",
    ),
    "changes the errors": (
        BUFFER.replace(ERRORS, ERRORS.replace("(td_error)", "(td_error, out=td_error)")),
        "changes the TD errors",
    ),
    "one draw": (
        BUFFER.replace("self.rng.choice", "np.random.default_rng(0).choice"),
        "rng itself",
    ),
    "copied stream": (
        "import copy\n"
        + textwrap.dedent(BUFFER.replace("self.rng.c", "copy.deepcopy(self.rng).c")),
        "rng itself",
    ),
}


def cases(table):
    return [
        pytest.param(exercise, answer, id=f"{exercise} {name}")
        for exercise, answers in table.items()
        for name, answer in answers.items()
    ]


@pytest.mark.parametrize(("exercise", "answer"), cases(RIGHT))
def test_a_right_answer_is_accepted(exercise, answer, capsys, short_training):
    run(exercise, answer, NEEDS.get(exercise, ()))
    assert capsys.readouterr().out.startswith("Right. ")


@pytest.mark.parametrize(("exercise", "answer"), cases(WRONG))
def test_a_wrong_answer_gets_the_hint_that_fits(exercise, answer, short_training):
    source, hint = answer
    with pytest.raises(AssertionError, match=hint):
        run(exercise, source, NEEDS.get(exercise, ()))


def test_a_slip_whose_loss_comes_near_the_right_one_is_still_named():
    slip = {"slip": np.float64(64.00005)}
    with pytest.raises(AssertionError, match="loss: slip"):
        ddpg_update.explain("critic", 64.00005, 64.0, slip)
    ddpg_update.explain("critic", 64.00001, 64.0, slip)  # computed in float32
    ddpg_update.explain("critic", 64.0, 64.0, {"slip": np.float64(64.0)})  # no difference here


def test_the_share_of_visits_that_the_time_limit_cuts():
    """From the start half of the episodes go to state 1, and stay for steps 1 to 19."""
    names = {"gym": gym}
    exec(textwrap.dedent(RIGHT["05"]["take the money"]), names)
    next_state, _, terminated = ddpg_limit.table(names["FatalLimit"])
    share, reached, visited = ddpg_limit.cut_share(next_state, terminated)
    assert share == pytest.approx([0.0, 1 / 19]) and reached == 0.5 and visited.all()


def test_training_that_does_not_reach_the_goal_is_tried_with_three_seeds(
    monkeypatch, short_training
):
    monkeypatch.setitem(vars(ddpg_update), "GOAL", 0.0)
    with pytest.raises(AssertionError, match=r"training reaches \[-\d+, -\d+, -\d+\]"):
        run("04-agent", RIGHT["04-agent"]["pair"], ("04",))


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
