"""Takes the pictures of README and tutorial from a running demonstration: ``make screenshots``.

Needs Playwright (requirements-dev.lock) and the system's Chromium; name another browser with the variable CHROMIUM.
The demonstration runs in a temporary folder, as a process of its own, and is stopped as Ctrl-C would.
"""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--hide-scrollbars",
]  # fmt: skip
SIZE = (1280, 860)
MAX_BYTES = 400_000
PATIENCE_S = 120


def main() -> None:
    """Runs the demonstration, takes the three pictures, ends it."""
    with tempfile.TemporaryDirectory(prefix="briefing-screenshots-") as folder:
        demo = _start(Path(folder) / "demo")
        try:
            assert demo.stdout is not None
            addresses = _addresses(demo.stdout)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                for name, label in (("archive", "Archive"), ("inbox", "Sandbox inbox"), ("preview", "Preview")):
                    _take(browser, name, addresses[label])
                browser.close()
        finally:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=60)


def _start(folder: Path) -> subprocess.Popen[str]:
    """The demonstration, on ports that are free near 8400, so that one that somebody looks at is left alone."""
    command = [sys.executable, "-m", "pipeline", "demo", "--dir", str(folder), "--recipients", "1000", "--port", "8400"]
    # A shell that runs us in the background lets its children ignore SIGINT; ours must hear it.
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    )


def _addresses(output: IO[str]) -> dict[str, str]:
    """What the demonstration prints when it is done: Archive, Preview, Sandbox inbox."""
    found: dict[str, str] = {}
    deadline = time.monotonic() + PATIENCE_S
    while "Sandbox inbox" not in found:
        line = output.readline()
        if not line or time.monotonic() > deadline:
            raise SystemExit("The demonstration did not come up; run: briefing demo")
        if match := re.match(r"\s+(Archive|Preview|Sandbox inbox)\s+(http\S+)", line):
            found[match[1]] = match[2]
    return found


def _take(browser: Browser, name: str, address: str) -> None:
    page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light", device_scale_factor=1)
    page.goto(address)
    if name == "inbox":
        # The first mail of the list; the inbox itself is a table of a thousand equal subjects.
        page.locator("main a[href^='/mail/']").first.click()
    _wait(page)
    path = HERE / f"{name}.png"
    path.write_bytes(_small(page.screenshot()))
    page.close()
    print(f"{path}: {path.stat().st_size // 1024} KB")


def _wait(page: Page) -> None:
    """Until every picture of the page and its frames is there; the preview's stream of changes never lets the network fall idle."""
    page.wait_for_load_state("load")
    for frame in page.frames:
        frame.wait_for_function("Array.from(document.images).every(image => image.complete && image.naturalWidth > 0)")
    page.wait_for_timeout(500)


def _small(png: bytes) -> bytes:
    """The picture with at most 256 colours: flat pages lose nothing that an eye sees."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64):
        out = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= MAX_BYTES:
            break
    return out.getvalue()


if __name__ == "__main__":
    main()
