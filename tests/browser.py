"""Open the notebooks in JupyterLab in a real browser, run them, and move a slider of each.

``python tests/browser.py [FOLDER]`` needs ``pip install -e ".[notebook]" playwright`` and
Chromium: Debian's, or another by ``CHROMIUM=path``. Screenshots go to FOLDER, by
default build/browser. Where a cell fails or a figure doesn't change it ends with a non-zero code.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
SLIDERS = {"tutorial_2_lif_neuron": 4, "tutorial_4_advanced_neurons": 4}
PORT, TOKEN = 8899, "snnc"
ADDRESS = f"http://127.0.0.1:{PORT}"

BUSY = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const context = panel && panel.context && panel.context.sessionContext;
    return !(context && context.isReady && context.session && context.session.kernel
             && context.session.kernel.status === "idle");
}"""
COUNTS = """() => {
    const cells = [...window.jupyterapp.shell.currentWidget.content.widgets]
        .filter(cell => cell.model.type === "code").map(cell => cell.model);
    const errors = cells.flatMap(cell => cell.sharedModel.outputs)
        .filter(output => output.output_type === "error" || output.name === "stderr");
    return [cells.filter(cell => !cell.executionCount).length, errors.length];
}"""


def start_lab(folder):
    """Start JupyterLab over a copy of the notebooks, and wait until it answers."""
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={PORT}",
        f"--IdentityProvider.token={TOKEN}", "--expose-app-in-browser",
        f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None",
    ]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{ADDRESS}/api?token={TOKEN}")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
        else:
            return server
    server.kill()
    raise RuntimeError("JupyterLab does not answer")


def idle(page, seconds=120):
    """Wait until the kernel has nothing to do."""
    end = time.monotonic() + seconds
    while page.evaluate(BUSY):
        if time.monotonic() > end:
            raise RuntimeError("the kernel is busy for too long")
        page.wait_for_timeout(50)


def run(page, name, shots):
    """Run a notebook; return what went wrong."""
    page.goto(f"{ADDRESS}/lab/tree/{name}.ipynb?token={TOKEN}&reset")
    page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell.currentWidget")
    idle(page)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    idle(page)
    left, errors = page.evaluate(COUNTS)
    wrong = [f"{left} cells were not run"] * bool(left) + [f"{errors} errors"] * bool(errors)
    if name not in SLIDERS:
        page.screenshot(path=shots / f"{name}.png")
        return wrong
    handles = page.locator(".jupyter-widgets .noUi-handle")
    page.wait_for_timeout(1000)
    picture = page.locator(".jupyter-widgets img").first
    picture.scroll_into_view_if_needed()
    if handles.count() != SLIDERS[name]:
        return [*wrong, f"{handles.count()} sliders instead of {SLIDERS[name]}"]
    page.screenshot(path=shots / f"{name}_before.png")
    times = []
    for _ in range(5):
        before = picture.get_attribute("src")
        handles.first.focus()
        start = time.monotonic()
        handles.first.press("ArrowLeft")
        while picture.get_attribute("src") == before:
            if time.monotonic() > start + 10:
                return [*wrong, "the figure stays as it is"]
            page.wait_for_timeout(5)
        times.append(1e3 * (time.monotonic() - start))
        idle(page)
    print(f"{name}: a move takes {sorted(times)[2]:.0f} ms (median of 5)")
    page.wait_for_timeout(300)
    page.screenshot(path=shots / f"{name}_after.png")
    return wrong


def main():
    """Run all notebooks, and tell."""
    shots = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "browser"
    shots.mkdir(parents=True, exist_ok=True)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for path in (ROOT / "notebooks").glob("*.ipynb"):
            shutil.copy(path, folder)
        server = start_lab(folder)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=os.environ.get("CHROMIUM", shutil.which("chromium")),
                    args=["--no-sandbox"],
                )
                for path in sorted(Path(folder).glob("*.ipynb")):
                    page = browser.new_page(viewport={"width": 1200, "height": 1000})
                    wrong = run(page, path.stem, shots)
                    page.close()
                    print(f"{path.stem}: {', '.join(wrong) or 'all cells ran'}", flush=True)
                    failed |= bool(wrong)
        finally:
            server.terminate()
            server.wait()
    sys.exit(failed)


if __name__ == "__main__":
    main()
