"""Chapter 06: its two pictures, and what its study's arms change."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from pgcourse.agents.ddpgfd import DDPGfDAgent
from pgcourse.display import colors, draw_corridor, draw_replay
from pgcourse.studies import chapter_06
from pgcourse.studies.evidence import flat


def test_the_picture_of_an_update_names_its_equations_and_keeps_demonstrations_apart():
    (ax,) = draw_replay().axes
    words = " ".join(text.get_text() for text in ax.texts)
    assert all(f"Eq{which}" in words for which in ("s. 2, 3", ". 5", "s. 1, 5", ". 6"))
    faces = [to_hex(patch.get_facecolor()) for patch in ax.patches]
    assert faces.count(to_hex(colors.TEACHER)) == 4


def test_the_corridors_picture_has_a_dot_for_a_run_and_a_line_through_the_means():
    found = {"a": [np.array([1.0, 3.0]), np.array([10.0, 30.0])]}
    (ax,) = draw_corridor([0, 9], found, "A title").axes
    *dots, line = ax.lines
    assert [list(each.get_ydata()) for each in dots] == [[1.0, 3.0], [10.0, 30.0]]
    assert list(line.get_ydata()) == [2.0, 20.0] and ax.get_yscale() == "log"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "9"]
    with pytest.raises(ValueError, match="shorter|longer"):
        draw_corridor([0, 9], dict.fromkeys("abcdef", found["a"]), "A title")
    with pytest.raises(ValueError, match=r"^updates\['a'\]: got 2 arrays; expected 3"):
        draw_corridor([0, 9, 99], found, "A title")


def test_a_teachers_few_episodes_are_his_first_and_whole():
    ten, three, one = (
        chapter_06.demonstrations(f"{n}") for n in ("10 episodes", "3 episodes", "1 episode")
    )
    assert ten[: len(three)] == three and three[: len(one)] == one
    assert [sum(row[4] for row in rows) for rows in (ten, three, one)] == [10, 3, 1]
    assert one[-1][4] and three[-1][4]


@pytest.mark.parametrize("waits", [True, False])
def test_the_actor_waits_for_the_critic_but_in_one_arm(waits):
    kind = "DDPGfD" if waits else "DDPGfD, actor from the first"
    agent = chapter_06.make(f"1 episode: {kind}", 0)
    actor, critic = flat(agent.actor).clone(), flat(agent.critic).clone()
    agent.learn_from_demos(3)
    assert (flat(agent.critic) != critic).any() and agent.updates == 3
    assert (flat(agent.actor) == actor).all() == waits
    agent.train(30, 0)  # the 106 rows of an episode are no batch yet
    made = {name: next(iter(each.optimizer.state.values()))["step"]
            for name, each in agent.learners.items()}  # fmt: skip
    assert made["critic"] == agent.updates > 1_000 + 1
    assert made["actor"] == agent.updates - 1_000 * waits


def test_what_comes_late_is_as_much():
    for kind in ("DDPG, late", "demonstrations in each batch, late", "DDPGfD, late"):
        agent = chapter_06.make(f"10 episodes: {kind}", 0)
        agent.initial_random_steps, agent.batch_size = 40, 8
        agent.memory.batch_size = 8
        agent.train(39, 0)
        assert agent.updates < 40
        agent.train(1, 0)
        assert agent.updates == chapter_06.MORE + 40
        agent.train(3, 0)
        assert agent.updates == chapter_06.MORE + 43


def test_five_updates_a_step_take_a_fifth_of_the_steps():
    agent = chapter_06.make("10 episodes: DDPGfD, 5 updates a step", 0)
    assert isinstance(agent, DDPGfDAgent) and agent.updates_per_step == 5
    assert agent.initial_random_steps * 5 == chapter_06.RANDOM_STEPS
