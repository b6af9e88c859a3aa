"""The cockpit, in a browser: alone on a page, then in JupyterLab."""

import json
import os
import subprocess

import pytest
from conftest import PYTHON, ROOT, SCREENSHOTS, started_lab
from driver import CAR, LIMITS, PENDULUM, SOURCE, STARTS, cockpit, drive_car, driver

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
RUN = """([name, start, actions]) => {
    const states = [start], rewards = [];
    for (const action of actions) {
        const { state, reward, terminated } = physics[name](states[states.length - 1], action);
        states.push(state); rewards.push(reward);
        if (terminated) break;
    }
    return { states, rewards };
}"""


def gymnasium(name, episodes):
    """What gymnasium makes of episodes: next states, rewards, flags."""
    command = [str(PYTHON), str(ROOT / "tests" / "browser" / "drive_reference.py")]
    given = json.dumps([name, episodes])
    return json.loads(subprocess.check_output(command, input=given, env=ENVIRONMENT, text=True))


def recorded(page):
    return page.evaluate("model.get('episodes')")


def opened(watched, name=CAR, **options):
    found = watched(viewport={"width": 700, "height": 600}, **options)
    cockpit(found.page, name)
    return found


@pytest.mark.parametrize("name", [CAR, PENDULUM])
def test_the_physics_are_gymnasiums_step_by_step(watched, name):
    page, rng = opened(watched, name).page, driver(0)
    start = STARTS[name][0]
    # Fits of pushing, as long as the valley's swing, so that walls and top speed are met.
    actions = [rng.randint(-64, 64) / 64 if k % 3 else (-1) ** (k // 34) for k in range(200)]
    found = page.evaluate(RUN, [name, start, actions])
    steps = len(found["rewards"])
    rest = page.evaluate(RUN, [name, found["states"][-1], [0.0] * (LIMITS[name] - steps)])
    states = found["states"] + rest["states"][1:]
    actions = actions[:steps] + [0.0] * len(rest["rewards"])
    episode = {"states": states, "actions": [[x] for x in actions]}
    answer = gymnasium(name, [episode])
    off = max(abs(a - b) for there, here in zip(answer["next"], states[1:], strict=True)
              for a, b in zip(there, here, strict=True))  # fmt: skip
    rewards = found["rewards"] + rest["rewards"]
    paid = max(abs(a - b) for a, b in zip(answer["rewards"], rewards, strict=True))
    print(f"\n{name}: {len(rewards)} steps, states off by {off:.1e}, rewards by {paid:.1e}")
    assert steps == 200 and off < 1e-6 and paid < 1e-5


def test_somebody_drives_by_keys_and_takes_an_episode_back(watched):
    found = opened(watched)
    page, rng = found.page, driver(1)
    page.locator(".drive canvas").focus()
    for _ in range(2):
        drive_car(page, rng)
    page.locator(".drive").screenshot(path=SCREENSHOTS / "drive_car.png")
    answer = gymnasium(CAR, recorded(page))
    lengths = [len(episode["actions"]) for episode in recorded(page)]
    print(f"\nflags after {lengths} steps")
    assert sum(answer["ends"]) == 2 and len(answer["ends"]) == sum(lengths)
    assert {x for e in recorded(page) for (x,) in e["actions"]} == {-1, 0, 1}
    assert "recorded 2" in page.locator(".drive-numbers").inner_text()
    page.get_by_role("button", name="Undo the last episode").click()
    assert [len(e["actions"]) for e in recorded(page)] == lengths[:1]
    assert "recorded 1" in page.locator(".drive-numbers").inner_text()
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_function("it.numbers.step > 5")
    page.keyboard.press("Escape")
    assert len(recorded(page)) == 1 and page.evaluate("it.running") is False
    assert found.errors == [] and found.elsewhere == []


def test_the_pointer_pushes_as_far_as_it_is_from_the_middle(watched):
    page = opened(watched, PENDULUM).page
    page.get_by_role("button", name="Start", exact=True).click()
    box = page.locator(".drive canvas").bounding_box()
    middle, y = box["x"] + box["width"] / 2, box["y"] + 100
    page.mouse.move(middle + box["width"] / 5, y)
    assert page.evaluate("it.action()") == [0]  # nobody presses
    page.mouse.down()
    assert page.evaluate("it.action()") == [0.5]
    page.mouse.move(middle - box["width"] * 0.45, y)
    assert page.evaluate("it.action()") == [-1]
    page.keyboard.down("ArrowRight")
    assert page.evaluate("it.action()") == [1]  # keys go first
    page.keyboard.up("ArrowRight")
    page.mouse.up()
    assert page.evaluate("it.action()") == [0]
    page.wait_for_function("!it.running", timeout=60_000)
    assert gymnasium(PENDULUM, recorded(page))["ends"] == [False] * 200


def test_a_finger_steers(watched):
    page = opened(watched, has_touch=True).page
    page.get_by_role("button", name="Start", exact=True).tap()
    box = page.locator(".drive canvas").bounding_box()
    client = page.context.new_cdp_session(page)
    at = {"x": box["x"] + 0.7 * box["width"], "y": box["y"] + 100}
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    page.wait_for_function("it.action()[0] === 0.5")
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("it.action()[0] === 0")


def test_the_clock_is_right_and_stands_still_when_nobody_looks(watched):
    page = opened(watched).page
    page.get_by_role("button", name="Start", exact=True).click()
    code = "[performance.now(), it.frames, it.numbers.step]"
    first = page.evaluate(code)
    page.wait_for_timeout(2_000)
    last = page.evaluate(code)
    seconds = (last[0] - first[0]) / 1_000
    frames, steps = ((last[k] - first[k]) / seconds for k in (1, 2))
    print(f"\n{frames:.1f} frames and {steps:.1f} steps a second")
    assert 20 < frames < 35 and 24 < steps < 33  # both 30, on a machine with nothing else to do
    page.keyboard.down("ArrowLeft")
    page.evaluate("document.activeElement.blur()")
    assert page.evaluate("it.keys.size") == 0
    there = page.evaluate("it.numbers.step")
    page.wait_for_timeout(300)
    assert page.evaluate("it.numbers.step") == there and page.evaluate("it.running")
    page.locator(".drive canvas").click()
    page.wait_for_function(f"it.numbers.step > {there}")


def test_it_is_dark_on_a_dark_page(watched):
    page = opened(watched, PENDULUM).page
    assert page.locator(".drive").get_attribute("data-look") == "light"
    page.evaluate("document.body.style.background = '#111'; it.draw()")
    assert page.locator(".drive").get_attribute("data-look") == "dark"
    page.locator("body").screenshot(path=SCREENSHOTS / "drive_dark.png")


def test_a_closed_cockpit_listens_no_longer(watched):
    page = opened(watched).page
    page.get_by_role("button", name="Start", exact=True).click()
    page.evaluate("close_it()")
    assert page.evaluate("[it.running, Object.values(model.heard).flat().length]") == [False, 0]


def test_it_is_small():
    size = (SOURCE / "drive.js").stat().st_size
    print(f"\n{size:,} bytes")
    assert size < 25_000


CELLS = [
    """from pgcourse import BCAgent
from pgcourse.display import drive
car = drive("MountainCarContinuous-v0")
car""",
    """slow = drive("Pendulum-v1", max_episode_steps=30)
slow""",
    """agent = BCAgent("MountainCarContinuous-v0", demo=car.demo)
print(len(car.demo), "rows,", car.demo[-1][4], "and", len(slow.demo), slow.demo[-1][4])""",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a notebook with two cockpits: one in the page, one through the kernel."""
    folder = tmp_path_factory.mktemp("drive")
    (folder / "notebooks").mkdir()
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [cell | {"source": source, "id": f"c{k}"} for k, source in enumerate(CELLS)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "notebooks" / "drive.ipynb").write_text(json.dumps(notebook))
    process, url = started_lab(folder)
    yield url
    process.terminate()
    process.wait()


def test_both_cockpits_in_jupyterlab(watched, lab):
    found = watched(viewport={"width": 1280, "height": 900})
    page, rng = found.page, driver(2)
    page.goto(f"{lab}/lab/tree/drive.ipynb")
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=60_000)
    for k in range(2):
        page.locator(".jp-CodeCell .cm-content").nth(k).click()
        page.keyboard.press("Control+Enter")
        page.locator(".drive canvas").nth(k).wait_for(timeout=60_000)
    page.locator(".drive canvas").first.focus()
    page.keyboard.press(" ")
    page.keyboard.down("ArrowLeft")
    page.wait_for_function("document.querySelectorAll('.drive')[0].cockpit.numbers.step > 20")
    page.screenshot(path=SCREENSHOTS / "lab_drive.png")
    page.keyboard.up("ArrowLeft")
    page.keyboard.press("Escape")
    page.locator(".drive canvas").first.focus()
    for _ in range(2):
        drive_car(page, rng, "document.querySelectorAll('.drive')[0].cockpit")
    page.get_by_role("button", name="Undo the last episode").first.click()
    page.locator(".drive canvas").first.focus()
    drive_car(page, rng, "document.querySelectorAll('.drive')[0].cockpit")
    # Keys are the cockpit's: JupyterLab goes to no other cell, and adds none.
    page.keyboard.press("ArrowDown")
    page.keyboard.press("b")
    assert page.locator(".jp-Cell.jp-mod-active .drive").count() == 1
    assert page.locator(".jp-CodeCell").count() == len(CELLS)

    page.locator(".drive canvas").nth(1).focus()
    page.keyboard.press(" ")
    page.keyboard.down("ArrowRight")
    page.wait_for_function("document.querySelectorAll('.drive')[1].cockpit.numbers.step > 5")
    page.locator(".drive").nth(1).screenshot(path=SCREENSHOTS / "lab_drive_kernel.png")
    page.wait_for_function(
        "document.querySelectorAll('.drive-numbers')[1].textContent.includes('30 · recorded 1')"
    )
    page.keyboard.up("ArrowRight")

    page.locator(".jp-CodeCell .cm-content").nth(2).click()
    page.keyboard.press("Control+Enter")
    said = page.locator(".jp-CodeCell").nth(2).locator(".jp-OutputArea-output pre")
    said.wait_for(timeout=60_000)
    rows = page.evaluate(
        "document.querySelectorAll('.drive')[0].cockpit.model.get('episodes')"
        ".reduce((sum, episode) => sum + episode.actions.length, 0)"
    )
    assert said.inner_text().strip() == f"{rows} rows, True and 30 False"
    assert found.elsewhere == []
