"""The playable pendulum, in a browser."""

import json
import os
import subprocess

import pytest
from conftest import PYTHON, ROOT, SCREENSHOTS

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
SOURCE = ROOT / "pgcourse" / "tools" / "site_source"
PLAYERS = ["untrained", "half", "trained", "optimal"]
READY = """name => {
    const it = document.querySelector('.play').pendulum;
    return it.shown === name && it.maps[name]?.columns.length === 73;
}"""


@pytest.fixture(scope="session")
def reference():
    command = [PYTHON, ROOT / "tests" / "browser" / "play_reference.py"]
    return json.loads(subprocess.check_output([*map(str, command)], cwd=ROOT, env=ENVIRONMENT))


def opened(watched, site, name="index", width=1280, **options):
    found = watched(viewport={"width": width, "height": 800}, **options)
    found.page.goto(f"{site}/{name}.html", wait_until="networkidle")
    return found


def play(page, code, argument=None):
    """Run code that knows the pendulum as `it`."""
    head = "const it = document.querySelector('.play').pendulum;"
    return page.evaluate(f"async given => {{ {head} {code} }}", argument)


def choose(page, name):
    page.check(f"input[value={name}]")
    page.wait_for_function(READY, arg=name, timeout=120_000)


@pytest.mark.parametrize("name", ["untrained", "half", "trained"])
def test_the_networks_say_what_pytorchs_say(watched, site, reference, name):
    code = """const player = await Play.player(given[0]);
        return given[1].map(([angle, speed, action]) => [player.act(angle, speed),
            player.q(Math.cos(angle), Math.sin(angle), speed, action)]);"""
    found = play(opened(watched, site).page, code, [name, reference["states"]])
    pairs = list(zip(found, reference[name], strict=True))
    actions = max(abs(a[0] - b[0]) for a, b in pairs)
    values = max(abs(a[1] - b[1]) / max(1, abs(b[1])) for a, b in pairs)
    print(f"\n{name}: actions differ by {actions:.1e}, values by {values:.1e} of their size")
    assert actions < 1e-5 and values < 1e-5


def test_the_near_optimal_control_is_the_modules(watched, site, reference):
    code = """const player = await Play.player('optimal');
        return given.map(([angle, speed]) => player.act(angle, speed));"""
    found = play(opened(watched, site).page, code, reference["states"])
    same = [abs(a - b) < 1e-6 for a, b in zip(found, reference["optimal"], strict=True)]
    assert sum(same) >= 198  # float32 may break a tie the other way


@pytest.mark.parametrize("gravity", ["10", "3"])
def test_the_physics_are_gymnasiums(watched, site, reference, gravity):
    rows = reference["physics"][gravity]
    code = "return given[0].map(([a, v, u]) => Play.step([a, v], u, given[1]));"
    found = play(opened(watched, site).page, code, [rows, float(gravity)])
    off = max(abs(x - y) for a, b in zip(found, rows, strict=True)
              for x, y in zip(a, b[3:], strict=True))  # fmt: skip
    print(f"\ngravity {gravity}: {len(rows)} steps, each off by at most {off:.1e}")
    assert len(rows) == 200 and off < 1e-6


@pytest.mark.parametrize("name", ["trained", "optimal"])
def test_the_rod_is_dragged_down_and_comes_up_again(watched, site, name):
    found = opened(watched, site)
    page = found.page
    choose(page, name)
    play(page, "it.place([0, 0]);")
    box = page.locator(".play-rod").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y - 80)
    page.mouse.down()
    page.mouse.move(x + 90, y + 60, steps=5)
    play(page, "it.run(false); for (let k = 0; k < 40; k++) it.step();")
    assert play(page, "return Math.cos(it.state[0]);") < 0.3  # the hand is stronger
    page.mouse.up()
    play(page, "for (let k = 0; k < 200; k++) it.step();")
    assert play(page, "return Math.cos(it.state[0]);") > 0.99  # after 10 s
    assert abs(play(page, "return it.state[1];")) < 0.5
    assert found.errors == [] and found.elsewhere == []


def test_the_keyboard_does_everything(watched, site):
    page = opened(watched, site).page
    choose(page, "trained")
    page.locator(".play-rod").focus()
    play(page, "it.place([0, 0]);")
    page.keyboard.press(" ")
    assert page.get_by_role("button", name="Play", exact=True).is_visible()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Pause").wait_for()
    page.wait_for_function("document.querySelector('.play').pendulum.past.length > 6")
    assert play(page, "return Math.max(...it.past.map(state => state[1]));") > 0.3
    page.keyboard.press("Tab")  # to the choice, and on to the buttons and sliders
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("near-optimal").is_checked()
    names = []
    for _ in range(8):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.closest('label, button')?.innerText"))
    assert [name.split("\n")[0] for name in names] == [
        "Pause", "Push left", "Push right", "Let it hang", "Reset sliders",
        "Gravity", "Torque limit", "Noise",
    ]  # fmt: skip
    page.keyboard.press("ArrowRight")
    assert play(page, "return it.noise;") == 0.05


def test_it_stands_still_for_those_who_want_less_motion(watched, site):
    page = opened(watched, site, reduced_motion="reduce").page
    choose(page, "trained")
    page.wait_for_timeout(500)
    assert play(page, "return [it.running, it.past.length];") == [False, 1]
    page.locator(".play").screenshot(path=SCREENSHOTS / "play_still.png")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("document.querySelector('.play').pendulum.past.length > 3")


def test_without_scripts_there_is_a_picture(watched, site):
    page = opened(watched, site, java_script_enabled=False).page
    picture = page.locator(".play img")
    assert picture.is_visible() and picture.bounding_box()["height"] > 100
    assert page.locator(".play canvas").count() == 0


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", ["index", "03_ddpg"])
def test_every_player_is_drawn_and_no_frame_is_late(watched, site, name, width):
    found = opened(watched, site, name, width)
    page = found.page
    page.locator(".play").scroll_into_view_if_needed()
    for player in PLAYERS:
        choose(page, player)
        play(page, "it.hang(); for (let k = 0; k < 70; k++) it.step(); it.draw();")
        path = SCREENSHOTS / f"play_{name}_{width}_{player}.png"
        page.locator(".play").screenshot(path=path)
    code = """const spent = [];
        for (let k = 0; k < 100; k++) {
            const start = performance.now();
            it.step();
            it.draw();
            spent.push(performance.now() - start);
        }
        return spent.sort((a, b) => a - b)[50];"""
    assert play(page, code) < 16  # ms, the median, a step of the agent included
    assert found.errors == [] and found.elsewhere == []


def test_it_is_small():
    code = sum((SOURCE / name).stat().st_size for name in ("play.js", "play.css", "play.html"))
    files = [(SOURCE / "play" / f"{name}.json").stat().st_size for name in PLAYERS]
    print(f"\n{code:,} bytes of code; networks and values: {files}")
    assert code < 60_000 and max(files) < 200_000
