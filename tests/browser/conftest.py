import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))
SCREENSHOTS = ROOT / "build" / "screenshots"
PYTHON = ROOT / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
CHROMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


LAB = {"windowingMode": "none", "autoStartDefaultKernel": True}
SILENT = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def chromium():
    """Return where a Chromium is."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMES)), None)
    if path is None:
        pytest.exit("No Chromium found. Install one (Debian: apt-get install chromium), or set "
                    "CHROMIUM to its path.", returncode=3)  # fmt: skip
    return path


@pytest.fixture(scope="session")
def browser():
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=QUIET)
        yield browser
        browser.close()


class Watched:
    """A page that remembers its console's errors and its requests to other hosts."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.errors, self.elsewhere = [], []
        self.page.on("console", lambda m: m.type == "error" and self.errors.append(m.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", lambda r: self.errors.append(f"failed: {r.url}"))
        self.page.on("request", self.request)

    def request(self, request):
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname not in ("localhost", "127.0.0.1"):
            self.elsewhere.append(request.url)


@pytest.fixture
def watched(browser):
    """Make watched pages; they are closed with the test."""
    made = []

    def make(**options):
        made.append(Watched(browser, **options))
        return made[-1]

    yield make
    for page in made:
        page.context.close()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def started(command, url, seconds=90, **options):
    """Start a server and wait until it answers."""
    process = subprocess.Popen(command, **options)
    for _ in range(seconds * 4):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return process
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.25)
    process.kill()
    raise RuntimeError(f"no answer at {url} from {command}")


@pytest.fixture(scope="session")
def site():
    """The address of the site, built anew and served."""
    port = free_port()
    command = [PYTHON, "-m", "pgcourse.tools.site", "--serve", "--port", str(port)]
    url = f"http://localhost:{port}"
    process = started(command, f"{url}/index.html", cwd=ROOT, **SILENT)
    yield url
    process.terminate()
    process.wait()


def started_lab(folder):
    """Start JupyterLab on a folder's notebooks; return its process and its address."""
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps(LAB))
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if k != "PGCOURSE_AUDIENCE"} | {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "SDL_VIDEODRIVER": "dummy",
        "PYTHONPATH": str(ROOT),
    }
    command = [
        PYTHON, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True",
        f"--ServerApp.root_dir={folder / 'notebooks'}",
        "--LabApp.news_url=", "--LabApp.check_for_updates_class="
        "jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    url = f"http://localhost:{port}"
    return started(command, f"{url}/api", env=environment, cwd=folder, **SILENT), url
