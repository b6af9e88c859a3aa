"""Record notebooks/evidence/07_drive.npz: five episodes of the cockpit's car, driven by its keys.

`cd tests/browser && .venv/bin/python record_drive.py`: a Chromium shows the cockpit in real time,
and `drive_car` of driver.py is at its keys. No person drove; another run gives other episodes.
"""

import json
import os
import subprocess

from conftest import PYTHON, QUIET, ROOT, chromium
from driver import CAR, cockpit, drive_car, driver
from playwright.sync_api import sync_playwright

FILE = ROOT / "notebooks" / "evidence" / "07_drive.npz"
STARTS = """import json
from pgcourse.tasks.envs import make_env
from pgcourse.tasks.recording import start_states
print(json.dumps(start_states({name!r}, make_env({name!r}), 0)))"""
SAVE = """import json, sys
from pgcourse.tasks.demos import save_demos
from pgcourse.tasks.recording import retrace
rows = retrace({name!r}, json.load(sys.stdin))
save_demos({path!r}, rows)
print(len(rows), "rows,", sum(row[4] for row in rows), "flags,", sum(row[2] for row in rows) / 5)"""


def run(code, given=""):
    """Run code with the module's Python, and return what it prints."""
    options = {"text": True, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    return subprocess.check_output([str(PYTHON), "-c", code], input=given, **options)


if __name__ == "__main__":
    rng = driver(7)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=QUIET)
        page = browser.new_page()
        cockpit(page, CAR, json.loads(run(STARTS.format(name=CAR))))
        page.locator(".drive canvas").focus()
        for _ in range(5):
            drive_car(page, rng)
            print(page.locator(".drive-note").inner_text())
        episodes = json.dumps(page.evaluate("model.get('episodes')"))
        browser.close()
    print(run(SAVE.format(name=CAR, path=str(FILE)), episodes))
