"""What the web pages' pendulum knows; tests/browser/test_play.py plays with it."""

import json

import torch
from torch.nn.utils import vector_to_parameters

from pgcourse import evaluate
from pgcourse.studies import chapter_03, evidence
from pgcourse.tools import play


def stored(name):
    return json.loads((play.FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def weights(found):
    return torch.cat([play.unpacked(found[part]["weights"]) for part in ("actor", "critic")])


def test_packing_changes_nothing():
    numbers = torch.randn(50)
    assert torch.equal(play.unpacked(play.packed(numbers)), numbers)


def test_the_untrained_player_is_a_fresh_agent():
    fresh, found = play.player(chapter_03.make(chapter_03.RUN, play.SEED)), stored("untrained")
    torch.testing.assert_close(weights(found), weights(fresh), rtol=0, atol=1e-6)
    for part in ("actor", "critic"):
        assert found[part]["sizes"] == fresh[part]["sizes"]


def test_the_players_learned_as_long_as_they_say():
    steps = [stored(name)["steps"] for name in ("untrained", "half", "trained")]
    assert steps == [0, chapter_03.RUN_STEPS // chapter_03.RUN_PIECES, chapter_03.RUN_STEPS]


def test_the_trained_player_is_as_good_as_the_chapters_agent():
    chapters = evidence.load_networks(chapter_03.make(chapter_03.RUN, play.SEED), "03_run")
    players = chapter_03.make(chapter_03.RUN, play.SEED)
    found = play.unpacked(stored("trained")["actor"]["weights"])
    vector_to_parameters(found, players.actor.parameters())
    returns = [evaluate(agent, "Pendulum-v1", range(10_000, 10_020)).mean()
               for agent in (chapters, players)]  # fmt: skip
    assert abs(returns[0] - returns[1]) < 30


def test_the_near_optimal_values_are_the_modules():
    found, again = stored("optimal"), play.optimum(0.99)
    assert found["points"] == again["points"] and found["gamma"] == again["gamma"]
    torch.testing.assert_close(
        play.unpacked(found["values"]), play.unpacked(again["values"]), rtol=0, atol=0.01
    )
