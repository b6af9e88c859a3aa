"""What every kind of agent promises: see `tests/kinds.py`."""

import copy
import functools
import inspect
import itertools
import pickle

import cloudpickle
import numpy as np
import pytest
import torch

from pgcourse import evaluate
from pgcourse.agents.agent import Agent
from tests.kinds import (
    KINDS,
    OFF_POLICY,
    ON_POLICY,
    digest,
    fill,
    in_double,
    leave_episode,
    leaves,
    make,
    networks,
    weights,
)  # fmt: skip

TOTAL = 130  # steps
every_kind = pytest.mark.parametrize("kind", KINDS)
off_policy = pytest.mark.parametrize("kind", OFF_POLICY)


@pytest.fixture(scope="module")
def uninterrupted():
    torch.set_num_threads(1)

    @functools.cache
    def run(kind):
        agent = make(kind)
        agent.train(TOTAL, 0)
        return digest(agent)

    return run


# --- seeds and streams


@every_kind
def test_the_same_seed_gives_the_same_weights_and_another_does_not(kind, uninterrupted):
    torch.manual_seed(2)  # the global streams have no say
    np.random.seed(2)
    again, other = make(kind), make(kind, seed=1)
    again.train(TOTAL, 0), other.train(TOTAL, 0)
    assert digest(again) == uninterrupted(kind)
    assert not torch.equal(weights(again), weights(other))


@every_kind
def test_neither_making_nor_training_touches_the_global_streams(kind):
    torch.manual_seed(0), np.random.seed(0)
    before = torch.get_rng_state(), pickle.dumps(np.random.get_state())
    make(kind).train(40, 0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert pickle.dumps(np.random.get_state()) == before[1]


def states(agent):
    """The state of every random stream of an agent, before anything was drawn."""
    found = {"actions": agent.rng}
    if hasattr(agent, "memory"):
        found |= {"noise": agent.noise.rng, "memory": agent.memory.rng}
    found |= {"shuffles": agent.shuffles} if hasattr(agent, "shuffles") else {}
    found |= {"draws": agent.draws} if hasattr(agent, "draws") else {}
    found |= {"demo": agent.demo_memory.rng} if hasattr(agent, "demo_memory") else {}
    return [rng.bit_generator.state["state"]["state"] for rng in found.values()]


@every_kind
def test_agents_with_neighbouring_seeds_share_no_stream(kind):
    found = list(itertools.chain(*(states(make(kind, seed=k)) for k in range(4))))
    assert len(set(found)) == len(found)


@every_kind
def test_training_in_pieces_is_training_at_once(kind, uninterrupted):
    agent = make(kind)
    first = 2 if kind in ON_POLICY else 1  # two environments make two steps at once
    for steps in (first, 48, 52, TOTAL - 100 - first):
        agent.train(steps, 0)
    state = uninterrupted(kind) | {"counts.first_step": 100 + first}
    assert digest(agent) == state


@every_kind
def test_evaluation_touches_nothing(kind, uninterrupted):
    agent, env = make(kind), KINDS[kind][1]
    agent.train(60, 0)
    before = digest(agent)
    evaluate(agent, env, [1, 2])
    if kind != "HER":  # bits cannot be drawn
        assert len(agent.test(seed=5).frames) == 20
    assert digest(agent) == before


# --- the update


@every_kind
def test_an_objective_is_a_pure_function_of_its_batch(kind):
    agent = fill(make(kind))
    batch = agent.sample()
    before = digest(agent)
    for each in agent.learners.values():
        first, second = (each.objective(batch) for _ in range(2))
        assert first[0].shape == () and torch.equal(first[0], second[0])
        assert first[1].keys() == second[1].keys()
    assert digest(agent) == before


@every_kind
def test_each_learner_moves_its_own_network_and_gives_no_other_a_gradient(kind):
    from pgcourse.agents.off_policy import descend

    agent = fill(make(kind))
    batch = agent.sample()
    for name, each in agent.learners.items():
        before = {n: copy.deepcopy(net.state_dict()) for n, net in networks(agent).items()}
        for net in networks(agent).values():
            net.zero_grad(set_to_none=True)
        descend(each, each.objective(batch)[0])
        for n, net in networks(agent).items():
            moved = any(not torch.equal(v, before[n][k]) for k, v in net.state_dict().items())
            assert moved == (net is each.network), (name, n)
            assert all((p.grad is not None) == (net is each.network) for p in net.parameters())


@off_policy
def test_followers_start_equal_and_follow_by_tau_when_it_is_their_turn(kind):
    agent = fill(make(kind, tau=0.25))
    pairs = [(f.slow, f.network, f.every) for f in agent.followers.values()]
    assert pairs
    for slow, fast, _ in pairs:
        for p, q in zip(slow.parameters(), fast.parameters(), strict=True):
            assert torch.equal(p, q) and p is not q and not p.requires_grad
    for _ in range(4):
        start = [[p.clone() for p in slow.parameters()] for slow, *_ in pairs]
        agent.update_model()
        for (slow, fast, every), old in zip(pairs, start, strict=True):
            share = 0.25 if agent.updates % every == 0 else 0.0
            for p, q, o in zip(slow.parameters(), fast.parameters(), old, strict=True):
                torch.testing.assert_close(p, o + share * (q - o))


@every_kind
def test_every_number_is_recorded_with_the_steps_of_its_updates(kind):
    agent = make(kind)
    history = agent.train(80, 0)
    assert history.losses and history.losses.keys() == history.loss_steps.keys()
    for each in agent.learners.values():
        for name in each.objective(agent.sample())[1]:
            assert len(history.losses[name]) == agent.updates // each.every
            assert len(history.losses[name]) == len(history.loss_steps[name])
            assert history.loss_steps[name][-1] <= 80


@every_kind
def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_weights(kind):
    for name in make(kind).learners:
        agent = make(kind)
        agent.train(60, 0)
        each = agent.learners[name]
        sound = each.objective
        each.objective = lambda batch, sound=sound: (
            sound(batch)[0] * torch.nan, {"this_loss": torch.tensor(torch.nan)},
        )  # fmt: skip
        before = [p.clone() for p in each.network.parameters()]
        # A team learns when its rollout is whole, the others at once.
        late, steps = (r"[6-8]\d", 30) if kind in ON_POLICY else (r"6\d", 10)
        with pytest.raises(FloatingPointError, match=rf"^step {late}: this_loss is nan"):
            agent.train(steps, 0)
        assert all(
            torch.equal(p, q) for p, q in zip(before, each.network.parameters(), strict=True)
        )


@off_policy
def test_compiled_updates_are_the_eager_ones_in_double_precision(kind, monkeypatch):
    # "aot_eager" makes the same graphs as the default, without the minutes of a C++ compiler,
    # which `test_compiled.py` uses.
    compile_ = functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", compile_)
    eager, compiled = in_double(fill(make(kind))), in_double(fill(make(kind)))
    start = weights(eager).clone()
    compiled.compile()
    for _ in range(12):
        expected, got = eager.update_model(), compiled.update_model()
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert not compiled.update.failed
    assert (weights(compiled) - weights(eager)).abs().max() < 1e-12
    assert (weights(eager) - start).abs().max() > 1e-4


# --- files


@every_kind
@pytest.mark.parametrize("stop", [3, 40, 41, 77, 119])
def test_a_run_that_was_killed_ends_with_the_same_bits(kind, stop, tmp_path, uninterrupted):
    path, agent = tmp_path / "run.pt", make(kind)
    learn = agent.learn

    def killed():
        learn()
        if agent.total_steps >= stop:
            raise SystemExit

    agent.learn = killed
    with pytest.raises(SystemExit):
        agent.train(TOTAL, 0, checkpoint=path, checkpoint_interval=25)
    again = make(kind)
    again.train(TOTAL, 0, checkpoint=path, checkpoint_interval=25)
    assert digest(again) == uninterrupted(kind)
    assert path.exists()
    third = make(kind)
    third.train(TOTAL, 0, checkpoint=path)
    assert digest(third) == uninterrupted(kind)


@every_kind
def test_save_and_load_is_no_change(kind, tmp_path):
    first, second = make(kind), make(kind, seed=5)
    first.train(60, 0)
    first.save(tmp_path / "a.pt")
    second.load(tmp_path / "a.pt")
    assert digest(second) == digest(first)
    assert (second.obs is None) == (kind not in ON_POLICY)


@every_kind
def test_each_branch_of_the_state_is_needed(kind):
    first, blank = make(kind, initial_random_steps=90), make(kind, seed=9).state_dict()
    first.train(76, 0)  # inside of an episode, and of a rollout
    state = copy.deepcopy(first.state_dict())
    leave_episode(first)
    first.train(50, 0)
    expected = digest(first)
    for branch in [*state, *(f"streams.{name}" for name in state["streams"])]:
        if branch in ("agent", "environment", "streams", "reset"):
            continue
        broken, inner = copy.deepcopy(state), None
        at, _, key = branch.partition(".")
        inner = broken[at] if key else broken
        other = blank[at] if key else blank
        inner[key or at] = other[key or at]
        agent = make(kind, seed=9, initial_random_steps=90)
        agent.load_state_dict(broken)
        agent.train(50, 0)
        assert digest(agent) != expected, branch
    agent = make(kind, seed=9, initial_random_steps=90)
    agent.load_state_dict(state)
    agent.train(50, 0)
    assert digest(agent) == expected | {"counts.first_step": 76}


def damages(state):
    """Yield (what was done, state): each leaf missing, of another type, shape or size."""
    for path, leaf in leaves(state):
        wrong = [None, "text", {}]
        if isinstance(leaf, torch.Tensor):
            wrong += [leaf.to(torch.complex64), leaf[None], leaf.flatten()[:0], leaf.tolist()]
            wrong += [torch.cat([leaf, leaf])] if leaf.ndim and len(leaf) else []
            wrong += [leaf[:1].expand(5, *leaf.shape[1:])] if leaf.ndim and len(leaf) else []
        elif isinstance(leaf, int):
            wrong += [-(10**30), 0.5, True]
        for value in [*wrong, GONE]:
            yield f"{'.'.join(path)}: {type(value).__name__}", replaced(state, path, value)


GONE = object()


def replaced(tree, path, value):
    """Return a tree with another leaf; what is not on the way to it is shared."""
    rest = {key: branch for key, branch in tree.items() if key != path[0]}
    if len(path) > 1:
        return {**tree, path[0]: replaced(tree[path[0]], path[1:], value)}
    return rest if value is GONE else {**tree, path[0]: value}


@every_kind
def test_a_damaged_checkpoint_is_refused_and_the_agent_stays(kind, tmp_path, monkeypatch):
    agent, path = make(kind), tmp_path / "a.pt"
    agent.train(60, 0)
    agent.save(path)
    before, state, loaded = digest(agent), torch.load(path, weights_only=True), []
    for what, broken in damages(state):
        monkeypatch.setattr(torch, "load", lambda *_, broken=broken, **__: broken)
        try:
            agent.load(path)
            loaded.append(what)
        except ValueError as error:
            assert str(error).startswith("path: got"), what
            assert digest(agent) == before, what
    # A history that was never begun is a history: its names are not known beforehand.
    assert [what for what in loaded if not what.startswith("history")] == []


@every_kind
def test_an_agent_can_be_sent_to_another_process(kind):
    agent = make(kind)
    agent.train(40, 0)
    other = cloudpickle.loads(cloudpickle.dumps(agent))
    agent.obs = other.obs = None
    agent.train(30, 0), other.train(30, 0)
    assert digest(other) == digest(agent)


# --- bad input


@every_kind
@pytest.mark.parametrize("value", [np.nan, 1.5, "left", [0.0] * 9])
def test_a_bad_action_is_refused_before_the_environment_moves(kind, value):
    if kind in ON_POLICY and value == 1.5:
        return  # drawn actions have no bound: they are clipped on their way to the environment
    agent = make(kind)
    agent.step(agent.select_action(agent.reset()))
    before = agent.obs.copy(), agent.total_steps, digest(agent)
    action = value if isinstance(value, str | list) else np.full(agent.act_dim, value)
    with pytest.raises((TypeError, ValueError), match="^action: got .*expected"):
        agent.step(action)
    assert np.array_equal(agent.obs, before[0]) and digest(agent) == before[2]


@off_policy
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"ou_noise_theta": -1.0}, "theta"),
        ({"ou_noise_sigma": float("nan")}, "sigma"),
        ({"tau": -0.1}, "tau"),
        ({"amsgrad": 1}, "amsgrad"),
        ({"initial_random_steps": -1}, "initial_random_steps"),
    ],
)
def test_bad_arguments_of_learning_from_a_buffer_are_refused_by_name(kind, changes, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        make(kind, **changes)


@every_kind
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"gamma": 1.5}, "gamma"),
        ({"actor_lr": "fast"}, "actor_lr"),
        ({"critic_lr": -1.0}, "critic_lr"),
        ({"hidden": 64}, "hidden"),
        ({"hidden": (0,)}, "hidden"),
        ({"seed": 0.5}, "seed"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_bad_arguments_are_refused_by_name(kind, changes, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        make(kind, **changes)


@every_kind
def test_an_argument_that_nobody_knows_is_refused_by_name(kind):
    with pytest.raises(TypeError, match="gama"):
        make(kind, gama=0.9)


@every_kind
def test_numbers_of_numpy_are_as_good_as_others(kind, tmp_path):
    sizes = {name: np.int32(n) for name, n in KINDS[kind][2].items() if type(n) is int}
    agent = make(kind, seed=np.int64(3), gamma=np.float64(0.9), **sizes)
    agent.train(np.int64(60), 0)
    agent.save(tmp_path / "a.pt")
    other = make(kind, seed=3, gamma=0.9)
    other.load(tmp_path / "a.pt")
    assert digest(other) == digest(agent)


@every_kind
def test_an_environment_of_two_agents_is_an_error(kind):
    first = make(kind)
    if kind in ON_POLICY:  # makes its environments itself
        with pytest.raises(TypeError, match="^env: got .*expected an id or a function"):
            make(kind, env=first.env)
        return
    first.train(3, 0)
    second = make(kind, seed=1, env=first.env)
    second.train(2, 0)
    with pytest.raises(ValueError, match="^env: got .*another agent .*expected an environment of"):
        first.train(1, 0)


# --- the listing


@every_kind
def test_an_algorithm_is_a_short_file_one_level_below_the_frame(kind):
    agent_class = KINDS[kind][0]
    above = [c for c in agent_class.__mro__ if c.__module__.startswith("pgcourse.")]
    assert [c.__module__.split(".")[-1] for c in above[1:]] in (
        ["off_policy", "agent"], ["noisy", "off_policy", "agent"], ["on_policy", "agent"],
    )  # fmt: skip
    assert above[-1] is Agent
    lines = inspect.getsource(inspect.getmodule(agent_class)).count("\n")
    assert lines <= (250 if kind in ("BC", "HER") else 100)
