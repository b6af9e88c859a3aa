import functools
import os
import shutil
import subprocess
import sys

import cloudpickle
import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from pgcourse import Batch, BCAgent, DDPGAgent, make_env
from tests.conftest import weights

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "cl"))), reason="needs a C++ compiler"
)


def make(kind=DDPGAgent, compile=True, **changes):
    options = {"initial_random_steps": 200, "seed": 0} | changes
    agent = kind(*arguments(kind), compile=compile, **options)
    while agent.total_steps < 64:
        obs = agent.reset() if agent.obs is None else agent.obs
        agent.step(agent.select_action(obs))
    return agent


def arguments(kind):
    sizes = (make_env("Pendulum-v1"), 1_000, 16)
    if not issubclass(kind, BCAgent):
        return *sizes, 1.0, 0.1
    rng = np.random.default_rng(0)
    draw = lambda n: rng.uniform(-1, 1, n).tolist()  # noqa: E731
    demo = [(draw(3), draw(1), -1.0, draw(3), False) for _ in range(30)]
    return *sizes, 8, 1.0, 0.1, demo


def in_double(agent):
    for network in (agent.actor, agent.critic, agent.actor_target, agent.critic_target):
        network.double()
    agent.to_tensors = lambda batch: Batch(*(torch.from_numpy(c).double() for c in batch))
    return agent


def gap(one, other):
    return (weights(one) - weights(other)).abs().max().item()


@pytest.mark.parametrize("kind", [DDPGAgent, BCAgent])
def test_twenty_updates_give_the_eager_agents_weights(kind):
    eager, compiled = make(kind, compile=False), make(kind)
    start = make(kind, compile=False)
    for _ in range(20):
        expected, got = eager.update_model(), compiled.update_model()
        assert got == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert not compiled.compiled.failed
    assert gap(compiled, eager) < 1e-5
    assert gap(compiled, start) > 1e-3  # something was learned at all


@pytest.mark.parametrize("kind", [DDPGAgent, BCAgent])
def test_in_double_precision_they_are_the_same(kind):
    eager, compiled = in_double(make(kind, compile=False)), in_double(make(kind))
    for _ in range(20):
        eager.update_model(), compiled.update_model()
    assert gap(compiled, eager) < 1e-10


def test_plain_adam_too():
    class Plain(DDPGAgent):
        def make_optimizer(self, network, lr):
            return torch.optim.Adam(network.parameters(), lr=lr, betas=(0.8, 0.99))

    eager, compiled = in_double(make(Plain, compile=False)), in_double(make(Plain))
    for _ in range(20):
        eager.update_model(), compiled.update_model()
    assert gap(compiled, eager) < 1e-10


def test_compiled_and_eager_updates_mix():
    eager, mixed = in_double(make(compile=False)), in_double(make())
    runner = mixed.compiled
    for k in range(12):
        mixed.compiled = runner if k % 4 < 2 else None
        eager.update_model(), mixed.update_model()
    assert gap(mixed, eager) < 1e-10


def test_a_second_agent_needs_no_second_compilation():
    make().update_model()
    before = counters["stats"]["unique_graphs"]
    make(seed=1).update_model()
    assert counters["stats"]["unique_graphs"] == before > 0


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(tmp_path):
    whole = make()
    whole.train(40, 0)
    half = make()
    half.train(20, 0)
    half.save(tmp_path / "run.pt")
    half = DDPGAgent.load(tmp_path / "run.pt", make_env("Pendulum-v1"))
    assert half.compiled is not None
    half.train(20, 0)
    assert torch.equal(weights(half), weights(whole))


def test_a_compiled_agent_can_be_sent_to_another_process():
    agent = make()
    agent.update_model()
    other = cloudpickle.loads(cloudpickle.dumps(agent))
    agent.update_model(), other.update_model()
    assert torch.equal(weights(other), weights(agent))


def test_a_loss_that_is_not_finite_is_refused_and_its_network_stays():
    agent = make()
    agent.update_model()
    before = [p.clone() for net in (agent.actor, agent.critic) for p in net.parameters()]
    agent.memory.data.reward[:] = np.inf
    with pytest.raises(FloatingPointError, match="critic_loss is inf"):
        agent.update_model()
    after = [p for net in (agent.actor, agent.critic) for p in net.parameters()]
    assert all(p.isfinite().all() for p in after)
    assert all(torch.equal(p, q) for p, q in zip(before[6:], after[6:], strict=True))
    states = agent.critic_optimizer.state.values()
    assert all(number.isfinite().all() for state in states for number in state.values())


def test_other_optimisers_are_refused():
    class SGD(DDPGAgent):
        def make_optimizer(self, network, lr):
            return torch.optim.SGD(network.parameters(), lr=lr)

    with pytest.raises(ValueError, match=r"^optimizer: got SGD .*expects torch.optim.Adam"):
        make(SGD).update_model()


def test_compile_is_a_flag():
    with pytest.raises(TypeError, match="^compile: got 1; expected True or False"):
        make(compile=1)


WITHOUT_COMPILER = """
from tests.test_compiled import make, weights
import torch
torch.set_num_threads(1)
eager, compiled = make(compile=False), make()
for _ in range(5):
    eager.update_model(), compiled.update_model()
assert torch.equal(weights(eager), weights(compiled))
"""


def test_without_a_compiler_it_says_so_once_and_runs_eager(tmp_path):
    env = os.environ | {"CXX": "/no/compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER], env=env, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert (
        run.stderr.count("compile=True failed, the updates run eager; it needs a C++ compiler") == 1
    )


def test_a_study_may_have_more_settings_than_dynamos_own_limit(monkeypatch):
    # Dynamo's limit counts traces, whatever makes code of them; "eager" makes them quickly.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    for k in range(10):
        agent = make(gamma=0.8 + k / 100)
        agent.update_model()
        assert not agent.compiled.failed


def test_a_run_saved_eager_goes_on_compiled(tmp_path):
    eager = make(compile=False)
    eager.train(20, 0, checkpoint=tmp_path / "run.pt")
    compiled = DDPGAgent(*arguments(DDPGAgent), initial_random_steps=200, seed=0, compile=True)
    compiled.train(94, 0, checkpoint=tmp_path / "run.pt")
    assert compiled.total_steps > 84 and not compiled.compiled.failed
