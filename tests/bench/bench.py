"""How fast, beside what others do: `make bench`.

One process measures updates, one measures whole training steps, and a fresh one is started for
each run against the clock. Everything is interleaved, on one thread and one core, and reported
as a ratio. Results go to build/bench.md, build/bench.json and build/bench.png.
"""

import argparse
import copy
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "PGCOURSE_AUDIENCE": "nobody",
    "JAX_PLATFORMS": "cpu",
}
OUT = Path(__file__).parents[2] / "build"
PANEL = range(10_000, 10_100)
GOAL = -150.0
LEARNING_RATE = 1e-3  # SB3 has one for both networks
DEMO_BATCH = 128


def filled(agent_class, batch_size, *more, compiled=False, **options):
    """An agent whose buffer holds 20,000 transitions of random actions."""
    import numpy as np

    agent = agent_class("Pendulum-v1", 100_000, batch_size, *more, seed=0, **options)
    if compiled:
        agent.compile()
    agent.memory.data = type(agent.memory.data)(
        *(np.resize(column[:2_000], column.shape) for column in lived(agent))
    )
    agent.memory.stored = 20_000
    return agent


def lived(agent):
    """2,000 transitions of random actions, as arrays."""
    for _ in range(2_000):
        if agent.obs is None:
            agent.reset()
        agent.step(agent.rng.uniform(-1, 1, 1).astype("float32"))
    return agent.memory.data


def demonstrations():
    """4,000 transitions."""
    from pgcourse import load_demos

    return load_demos(Path(__file__).parents[2] / "demo.pkl")


def floor(rows, demo_rows):
    """The matrix products of one update and nothing else."""
    import torch

    def product(m, k, n):
        a, b, out = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
        return lambda: torch.mm(a, b, out=out)

    def forward(n_in, rows=rows):
        return [product(rows, n_in, 128), product(rows, 128, 128), product(rows, 128, 1)]

    def weights(n_in):
        return [product(n_in, rows, 128), product(128, rows, 128), product(128, rows, 1)]

    inward = [product(rows, 1, 128), product(rows, 128, 128)]
    calls = forward(3) + forward(4) + forward(4) + weights(4) + inward  # critic
    calls += forward(3) + forward(4) + inward + [product(rows, 128, 4)] + weights(3) + inward
    if demo_rows:
        calls += forward(4, demo_rows)

    def run():
        for call in calls:
            call()

    return run


def measure_updates(rounds=7, calls=60):
    """Milliseconds per update, medians over interleaved rounds."""
    import torch
    from tutorial import TutorialBC, TutorialDDPG

    from pgcourse import BCAgent, DDPGAgent

    torch.set_num_threads(1)
    bc = {"demo": demonstrations()}
    ways = {
        128: {
            "tutorial": TutorialDDPG(128, 20_000).update,
            "ours": filled(DDPGAgent, 128, 1.0, 0.1).update_model,
            "ours, compiled": filled(DDPGAgent, 128, 1.0, 0.1, compiled=True).update_model,
            "matrix products alone": floor(128, 0),
        },
        1024: {
            "tutorial": TutorialBC(1024, 20_000, DEMO_BATCH, bc["demo"]).update,
            "ours": filled(BCAgent, 1024, DEMO_BATCH, 1.0, 0.1, **bc).update_model,
            "ours, compiled": filled(
                BCAgent, 1024, DEMO_BATCH, 1.0, 0.1, compiled=True, **bc
            ).update_model,
            "matrix products alone": floor(1024 + DEMO_BATCH, DEMO_BATCH),
        },
    }
    compile_seconds = {}
    for batch, named in ways.items():
        for name, call in named.items():
            start = time.perf_counter()
            call()
            if "compiled" in name:
                compile_seconds[batch] = time.perf_counter() - start
            for _ in range(20):
                call()
    times = {batch: {name: [] for name in named} for batch, named in ways.items()}
    for _ in range(rounds):
        for batch, named in ways.items():
            for name, call in named.items():
                start = time.perf_counter()
                for _ in range(calls):
                    call()
                times[batch][name].append(1e3 * (time.perf_counter() - start) / calls)
    medians = {b: {n: statistics.median(t) for n, t in named.items()} for b, named in times.items()}
    return {"ms per update": medians, "first compiled call, s": compile_seconds}


def ours(compiled=False, rates=(LEARNING_RATE, LEARNING_RATE), seed=0, random_steps=200):
    """Our agent."""
    import torch

    from pgcourse import DDPGAgent

    torch.set_num_threads(1)
    agent = DDPGAgent(
        "Pendulum-v1", 100_000, 128, 1.0, 0.1, actor_lr=rates[0], critic_lr=rates[1],
        initial_random_steps=random_steps, seed=seed,
    )  # fmt: skip
    if compiled:
        agent.compile()
    return agent


def peer(kind, seed=0, **changes):
    """Another library's DDPG, with our sizes unless told otherwise."""
    import numpy as np
    import torch
    from stable_baselines3.common.noise import NormalActionNoise

    torch.set_num_threads(1)
    if kind == "SB3":
        from stable_baselines3 import DDPG
    else:
        from sbx import DDPG
    noise = NormalActionNoise(np.zeros(1), 0.1 * np.ones(1))
    return DDPG("MlpPolicy", "Pendulum-v1", action_noise=noise, seed=seed, **changes)


EQUAL = {
    "batch_size": 128, "buffer_size": 100_000, "learning_starts": 200, "gamma": 0.99,
    "tau": 0.005, "train_freq": 1, "gradient_steps": 1, "policy_kwargs": {"net_arch": [128, 128]},
}  # fmt: skip


def measure_steps(rounds=5, steps=1_000):
    """Whole training steps per second at batch 128, medians over interleaved rounds."""
    ddpg, compiled = ours(), ours(compiled=True)
    sb3 = peer("SB3", learning_rate=LEARNING_RATE, **EQUAL)
    sbx = peer("SBX", learning_rate=LEARNING_RATE, qf_learning_rate=LEARNING_RATE, **EQUAL)
    ways = {
        "ours": lambda n: ddpg.train(n, 0),
        "ours, compiled": lambda n: compiled.train(n, 0),
        "Stable-Baselines3": lambda n: sb3.learn(n, reset_num_timesteps=False),
        "SBX (JAX)": lambda n: sbx.learn(n, reset_num_timesteps=False),
    }
    for train in ways.values():
        train(400)
    updates = sb3._n_updates, sbx._n_updates
    rates = {name: [] for name in ways}
    for _ in range(rounds):
        for name, train in ways.items():
            start = time.perf_counter()
            train(steps)
            rates[name].append(steps / (time.perf_counter() - start))
    done = sb3._n_updates - updates[0], sbx._n_updates - updates[1]
    assert done == (rounds * steps,) * 2, done  # one update per step, as ours
    return {"steps per second": {n: statistics.median(r) for n, r in rates.items()}}


def interleaved(mine, other, third, rounds, steps):
    """Return the steps per second of processor time of three agents, medians over the rounds."""
    ways = {
        "ours": lambda n: mine.train(n, 0),
        "Stable-Baselines3": lambda n: other.learn(n, reset_num_timesteps=False),
        "SBX (JAX)": lambda n: third.learn(n, reset_num_timesteps=False),
    }
    for train in ways.values():
        train(max(400, steps // 3))
    rates = {way: [] for way in ways}
    for _ in range(rounds):
        for way, train in ways.items():
            start = time.process_time()
            train(steps)
            rates[way].append(steps / (time.process_time() - start))
    return {way: statistics.median(rate) for way, rate in rates.items()}


def ppo_agents():
    """Return three PPO agents with equal networks, rollouts, epochs and minibatches."""
    import sbx
    import stable_baselines3
    from stable_baselines3.common.env_util import make_vec_env

    import pgcourse

    equal = {
        "n_steps": 128, "batch_size": 256, "n_epochs": 10, "gamma": 0.97, "gae_lambda": 0.95,
        "learning_rate": 1e-3, "seed": 0,
    }  # fmt: skip
    others = (
        library.PPO("MlpPolicy", make_vec_env("Pendulum-v1", 16), **equal)
        for library in (stable_baselines3, sbx)
    )
    return pgcourse.PPOAgent("Pendulum-v1", seed=0), *others


def measure_agents(rounds=5, steps=1_000):
    """Training steps per second of every algorithm that SB3 and SBX have too, interleaved."""
    import sbx
    import stable_baselines3
    import torch

    import pgcourse

    torch.set_num_threads(1)
    found = {}
    for name in ("DDPG", "TD3", "SAC"):
        mine = getattr(pgcourse, f"{name}Agent")(
            "Pendulum-v1", initial_random_steps=200, critic_lr=LEARNING_RATE,
            actor_lr=LEARNING_RATE, seed=0,
        )  # fmt: skip
        other = getattr(stable_baselines3, name)(
            "MlpPolicy", "Pendulum-v1", learning_rate=LEARNING_RATE, seed=0, **copy.deepcopy(EQUAL),
        )  # fmt: skip
        third = getattr(sbx, name)(
            "MlpPolicy", "Pendulum-v1", learning_rate=LEARNING_RATE,
            qf_learning_rate=LEARNING_RATE, seed=0,
            **copy.deepcopy(EQUAL),  # SBX writes into policy_kwargs
        )  # fmt: skip
        before = other._n_updates, third._n_updates
        found[name] = interleaved(mine, other, third, rounds, steps)
        made = other._n_updates - before[0], third._n_updates - before[1]
        # One update per step, as ours, and some 200 while warming up.
        assert all(0 < count - rounds * steps <= 210 for count in made), made
    found["PPO"] = interleaved(*ppo_agents(), rounds, 3 * 2_048)
    return {"agents": found}


class Peer:
    """A model of another library, for `evaluate`."""

    def __init__(self, model):
        self.model = model

    def policy(self, obs):
        """Actions in [-1, 1]."""
        return self.model.predict(obs, deterministic=True)[0] / 2.0


CLOCK = {
    "ours": lambda seed: ours(False, (3e-4, 1e-3), seed, 1_000),
    "ours, compiled": lambda seed: ours(True, (3e-4, 1e-3), seed, 1_000),
    "SBX (JAX), our settings": lambda seed: peer(
        "SBX", seed, learning_rate=3e-4, qf_learning_rate=1e-3, **EQUAL | {"learning_starts": 128}
    ),
    "Stable-Baselines3, its defaults": lambda seed: peer("SB3", seed),
}
CLASSIC = {"default": (1_000, 12_000), "classic": (10_000, 50_000)}


def against_the_clock(name, seed, started):
    """Seconds and steps until the panel's mean is at the goal; evaluations are not counted."""
    agent = CLOCK[name](seed)
    from pgcourse import evaluate

    if hasattr(agent, "update_model"):
        player, train = agent, lambda n, **_: agent.train(n, 0)
    else:
        player, train = Peer(agent), agent.learn
    steps, not_counted, mean = 0, 0.0, -float("inf")
    while mean < GOAL and steps < 20_000:
        train(250, **({"reset_num_timesteps": steps == 0} if isinstance(player, Peer) else {}))
        steps += 250
        start = time.time()
        if steps >= 1_000:
            mean = evaluate(player, "Pendulum-v1", PANEL).mean()
        not_counted += time.time() - start
    return {"seconds": time.time() - started - not_counted, "steps": steps, "mean": mean}


def budget(name, seed, started):
    """Seconds of training and the panel's mean for a budget."""
    from pgcourse import evaluate

    random_steps, frames = CLASSIC[name]
    agent = ours(False, (3e-4, 1e-3), seed, random_steps)
    start = time.perf_counter()
    agent.train(frames, 0)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "mean": evaluate(agent, "Pendulum-v1", PANEL).mean()}


def child(part, *arguments):
    """Run a part in a process of its own, on one core, and return what it measured."""
    command = [sys.executable, __file__, "--part", part, str(time.time()), *map(str, arguments)]
    env = os.environ | ONE_THREAD
    with tempfile.TemporaryDirectory() as empty:
        if part == "updates":  # the first compilation, with nothing kept from an earlier one
            env["TORCHINDUCTOR_CACHE_DIR"] = empty
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def run_part(part, started, *arguments):
    """What a child process does."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    parts = {"updates": measure_updates, "steps": measure_steps, "agents": measure_agents}
    if part in parts:
        return parts[part]()
    name, seed = arguments
    return {"clock": against_the_clock, "budget": budget}[part](name, int(seed), float(started))


def report(found):
    """The tables, as Markdown."""
    lines = ["| ms per update | 128 | ratio | 1024 + 128 | ratio |", "|---|---|---|---|---|"]
    small, large = found["ms per update"]["128"], found["ms per update"]["1024"]
    for name in small:
        cells = [f"{t[name]:.2f} | {t['tutorial'] / t[name]:.2f}" for t in (small, large)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rates = found["steps per second"]
    lines += [
        "",
        "| training steps per second, batch 128 | | SBX = 1 | SB3 = 1 |",
        "|---|---|---|---|",
    ]
    for name, rate in rates.items():
        one, other = rate / rates["SBX (JAX)"], rate / rates["Stable-Baselines3"]
        lines.append(f"| {name} | {rate:.0f} | {one:.2f} | {other:.2f} |")
    lines += [
        "",
        "| training steps per second of one core | ours | Stable-Baselines3 | SBX (JAX) |",
        "|---|---|---|---|",
    ]
    for name, each in found["agents"].items():
        lines.append(f"| {name} | {' | '.join(f'{rate:.0f}' for rate in each.values())} |")
    lines += ["", f"| to a mean of {GOAL:.0f} | seconds, each seed | steps | median, ours = 1 |"]
    lines += ["|---|---|---|---|"]
    base = statistics.median(run["seconds"] for run in found["clock"]["ours"])
    for name, runs in found["clock"].items():
        seconds = " ".join(f"{run['seconds']:.1f}" for run in runs)
        steps = " ".join(
            f"{run['steps']:,}" if run["mean"] >= GOAL else f">{run['steps']:,}" for run in runs
        )
        middle = statistics.median(run["seconds"] for run in runs)
        lines.append(f"| {name} | {seconds} | {steps} | {middle / base:.2f} |")
    lines += ["", "| budget | mean return, each seed | seconds, each seed |", "|---|---|---|"]
    for name, runs in found["budget"].items():
        means = " ".join(f"{run['mean']:.1f}" for run in runs)
        seconds = " ".join(f"{run['seconds']:.0f}" for run in runs)
        lines.append(f"| {name} | {means} | {seconds} |")
    first = " and ".join(f"{s:.0f} s" for s in found["first compiled call, s"].values())
    gain = 1e-3 * (small["ours"] - small["ours, compiled"])
    pays = found["first compiled call, s"]["128"] / gain
    lines += [
        "",
        f"First compiled call, with an empty cache: {first}. "
        f"It pays after {pays:,.0f} updates of 128 rows.",
    ]
    lines.append(", ".join(f"{name} {version}" for name, version in found["versions"].items()))
    return "\n".join(lines)


def draw(found):
    """The bar chart."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(11, 3), layout="constrained")
    axes = fig.subplots(1, 3)
    for ax, batch in zip(axes, ("128", "1024"), strict=False):
        bars = found["ms per update"][batch]
        ax.barh(list(bars), list(bars.values()))
        ax.set(xlabel="ms", title=f"one update, batch {'128' if batch == '128' else '1024 + 128'}")
    rates = found["steps per second"]
    axes[2].barh(list(rates), list(rates.values()), color="C1")
    axes[2].set(xlabel="steps per second", title="whole training, batch 128")
    for ax in axes:
        ax.invert_yaxis()
    fig.savefig(OUT / "bench.png", dpi=120)


def main():
    """Measure everything, or what was asked for, and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--seeds", type=int, default=3, help="runs against the clock (3)")
    options = parser.parse_args()
    if options.part:
        print(json.dumps(run_part(*options.part)))
        return
    OUT.mkdir(exist_ok=True)
    found = child("updates") | child("steps") | child("agents") | {"clock": {}, "budget": {}}
    for seed in range(options.seeds):
        for part, names in (("clock", CLOCK), ("budget", CLASSIC)):
            for name in names:
                print(f"{part}, seed {seed}: {name}", file=sys.stderr, flush=True)
                found[part].setdefault(name, []).append(child(part, name, seed))
    packages = ("torch", "stable-baselines3", "sbx-rl", "jax", "gymnasium", "numpy")
    found["versions"] = {"Python": platform.python_version()}
    found["versions"] |= {name: importlib.metadata.version(name) for name in packages}
    (OUT / "bench.json").write_text(json.dumps(found, indent=1))
    (OUT / "bench.md").write_text(report(found) + "\n")
    draw(found)
    print(report(found))


if __name__ == "__main__":
    main()
