import functools
import shutil

import cloudpickle
import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from pgcourse import DDPGAgent
from pgcourse.agents import ddpg
from tests import kinds
from tests.kinds import fill, in_double, weights

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "cl"))), reason="needs a C++ compiler"
)


def make(kind="DDPG", compiled=True, **changes):
    agent = fill(kinds.make(kind, **{"initial_random_steps": 200, "memory_size": 250} | changes))
    if compiled:
        agent.compile()
    return agent


def gap(one, other):
    return (weights(one) - weights(other)).abs().max().item()


@pytest.mark.parametrize("kind", ["DDPG", "SAC"])
def test_twenty_updates_give_the_eager_agents_weights(kind):
    eager, compiled, start = make(kind, False), make(kind), make(kind, False)
    for _ in range(20):
        expected, got = eager.update_model(), compiled.update_model()
        assert got == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert not compiled.update.failed
    assert gap(compiled, eager) < 1e-5
    assert gap(compiled, start) > 1e-3  # something was learned at all


@pytest.mark.parametrize("amsgrad", [True, False])
def test_in_double_precision_they_are_the_same(amsgrad):
    options = {"amsgrad": amsgrad}
    eager, compiled = (in_double(make("DDPG", on, **options)) for on in (False, True))
    for _ in range(20):
        eager.update_model(), compiled.update_model()
    assert gap(compiled, eager) < 1e-10


def test_compiled_and_eager_updates_mix():
    eager, mixed = in_double(make(compiled=False)), in_double(make())
    compiled, plain = mixed.update, type(mixed).update.__get__(mixed)
    for k in range(12):
        mixed.update = compiled if k % 4 < 2 else plain
        eager.update_model(), mixed.update_model()
    assert gap(mixed, eager) < 1e-10


def test_a_second_agent_needs_no_second_compilation():
    make().update_model()
    before = counters["stats"]["unique_graphs"]
    make(seed=1).update_model()
    assert counters["stats"]["unique_graphs"] == before > 0


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(tmp_path):
    whole = make()
    whole.train(36, 0)  # to an end of an episode, at step 100
    whole.train(20, 0)
    half = make()
    half.train(36, 0)
    half.save(tmp_path / "run.pt")
    half = kinds.make("DDPG", initial_random_steps=200)
    half.load(tmp_path / "run.pt")
    half.compile()
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
    states = agent.learners["critic"].optimizer.state.values()
    assert all(number.isfinite().all() for state in states for number in state.values())


def test_other_optimisers_are_refused():
    class SGD(DDPGAgent):
        def make_optimizer(self, network, lr):
            return torch.optim.SGD(network.parameters(), lr=lr)

    agent = fill(SGD("Pendulum-v1", 100, 8, seed=0))
    agent.compile()
    with pytest.raises(ValueError, match=r"^optimizer: got SGD .*expects torch.optim.Adam"):
        agent.update_model()


def test_without_a_compiler_it_says_so_once_and_runs_eager(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # nothing is compiled already
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (None, "/no/compiler"))
    eager, compiled = make(compiled=False, hidden=(5,)), make(hidden=(5,))
    with pytest.warns(UserWarning, match=r"^compile\(\) failed, .* needs a C\+\+ compiler") as said:
        for _ in range(5):
            eager.update_model(), compiled.update_model()
    assert len(said) == 1 and compiled.update.failed
    assert torch.equal(weights(eager), weights(compiled))


def test_a_study_may_have_more_settings_than_dynamos_own_limit(monkeypatch):
    # Dynamo's limit counts traces, whatever makes code of them; "eager" makes them quickly.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    monkeypatch.setattr(torch._dynamo.config, "cache_size_limit", 1)  # 8 would take 9 traces
    for gamma in (0.8, 0.9):
        agent = make(gamma=gamma, hidden=(5,))
        agent.update_model()
        assert not agent.update.failed


@pytest.mark.parametrize("change", ["equation", "gamma"])
def test_what_changes_after_the_first_update_is_seen(monkeypatch, change):
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    eager, compiled = make(compiled=False, hidden=(5,)), make(hidden=(5,))
    eager.update_model(), compiled.update_model()
    before = weights(eager).clone()
    if change == "equation":
        # A target of 100 everywhere, so that the next update goes elsewhere.
        monkeypatch.setattr(ddpg, "td_target", lambda reward, *rest: reward * 0 + 100)
    else:
        eager.gamma = compiled.gamma = 0.0
    losses = [agent.update_model()["critic_loss"] for agent in (eager, compiled)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert gap(compiled, eager) < 1e-5 and (weights(eager) - before).abs().max() > 1e-4


def test_a_run_saved_eager_goes_on_compiled(tmp_path):
    eager, compiled = kinds.make("DDPG"), kinds.make("DDPG")
    eager.train(60, 0, checkpoint=tmp_path / "run.pt")
    compiled.compile()
    compiled.train(84, 0, checkpoint=tmp_path / "run.pt")
    assert compiled.total_steps == 84 and not compiled.update.failed
