"""What the browser tests need; each missing part is a skip that says so, or in CI a failure.

``BROWSER_TESTS=required`` turns the skips into failures. ``CHROMIUM`` and ``AXE`` name the browser
and axe-core's ``axe.min.js``; ``BROWSER_ARTEFACTS`` a folder for pictures and PDF.
"""

import functools
import http.server
import importlib.util
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

import report_fixture as fixture

from audit_analytics.report import write_overview
from audit_analytics.report._result import write_report

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
REPORTS = {
    "complete": fixture.make_report,
    "gaps": fixture.make_gaps_report,
    "empty": fixture.make_empty_report,
    "hostile": fixture.make_hostile_report,
}
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def _missing():
    axe = os.environ.get("AXE", "")
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed: pip install -e '.[browser]'"
    if not CHROMIUM or not Path(CHROMIUM).exists():
        return "no chromium found: install it, or name it in CHROMIUM"
    if not Path(axe).is_file():
        return "AXE does not name axe-core's axe.min.js: npm install axe-core"
    return ""


@pytest.fixture(scope="session", autouse=True)
def _equipped():
    missing = _missing()
    if missing and os.environ.get("BROWSER_TESTS") == "required":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture(scope="session")
def site(_equipped, tmp_path_factory):
    """Serve a folder with every report on this machine; return its address."""
    folder = tmp_path_factory.mktemp("site")
    for name, make in REPORTS.items():
        write_report(make(), folder / name)
    for place, name in (
        ("2026-W46", "hostile"),
        ("2026-W47", "gaps"),
        ("acme/2026-W47", "complete"),
    ):
        shutil.copytree(folder / name, folder / place)
    write_overview(folder, lang="en", zone="Asia/Shanghai", failed={"gone": "no event"})
    handler = functools.partial(_Silent, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser(_equipped):
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is installed

    # the sandbox of the browser needs a user who is not root
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*QUIET, *(["--no-sandbox"] if root else [])]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory):
    named = os.environ.get("BROWSER_ARTEFACTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
