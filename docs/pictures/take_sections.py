"""Takes the pictures of docs/sections.md from that page's own text: ``make screenshots``. By itself it takes seconds; no demonstration, no network.

The blocks of the page are one issue. It is rendered with the packaged newsroom, opened in Chromium, and each part is cut out.
Needs Playwright (requirements-dev.lock) and the system's Chromium; name another browser with the variable CHROMIUM.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, Route, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from take_screenshots import CHROMIUM, FLAGS  # noqa: E402

from pipeline.render.pictures import make_renditions
from pipeline.web.preview.marks import find_marks, marked  # noqa: E402
from tests.docs.sections_page import DIGEST, PAGE, Rendered, read_page, rendered  # noqa: E402

OUT = DIGEST.parent
WIDTH = 640
PHONE = 320
AIR = 14
MAX_BYTES = 25_000

ROWS = "[role=article] > table > tbody > tr"
FURNITURE = {
    "top": f"{ROWS}:nth-child(-n+3), h1, h1 + p",
    "authors": "AUTHORS",
    "reply": f"{ROWS}:nth-last-child(3)",
    "legal": f"{ROWS}:nth-last-child(2)",
    "foot": f"{ROWS}:nth-last-child(1)",
}
"""What no line of the draft makes, by its place among the rows of the mail."""

BOX = """([first, last, selector, rows, air]) => {
    const marks = Array.from(document.querySelectorAll('[id^=line-]'))
    const line = one => Number(one.id.slice(5))
    const ours = selector ? Array.from(document.querySelectorAll(selector)) : marks.filter(one => line(one) >= first && line(one) <= last)
    const strange = selector ? [] : marks.filter(one => !ours.includes(one))
    // As much around a block as is its alone: a panel, a frame, a list.
    const whole = ours.map(one => {
        while (!selector && one.parentElement && !strange.some(other => one.parentElement.contains(other)) && one.parentElement.tagName != 'TBODY')
            one = one.parentElement
        // A row of the mail has its own air; a block gets some.
        const box = one.getBoundingClientRect(), own = one.matches(rows) ? 0 : air
        return [box.top - own, box.bottom + own]
    })
    return [Math.max(0, Math.min(...whole.map(one => one[0])) + scrollY), Math.max(...whole.map(one => one[1])) + scrollY]
}"""


def main() -> None:
    """Takes every picture that the page names, and writes down of which rendering."""
    page = read_page()
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="briefing-sections-") as folder, sync_playwright() as playwright:
        made = rendered(page, Path(folder) / "newsroom")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        mail = _open(browser, made, WIDTH, "light")
        for one in page.snippets:
            if one.picture and one.picture not in FURNITURE:
                _cut(mail, one.picture, one.first, one.last)
        rows = mail.locator(ROWS).count()
        cards = ", ".join(f"{ROWS}:nth-child({rows - 2 - number})" for number in range(1, len(made.edition.authors) + 1))
        for name, selector in FURNITURE.items():
            _cut(mail, name, selector=cards if selector == "AUTHORS" else selector)
        by_name = {one.picture: one for one in page.snippets}
        corner, quote = by_name["expert-corner"], by_name["quote"]
        _cut(_open(browser, made, WIDTH, "dark"), "dark", corner.first, corner.last)
        _cut(_open(browser, made, PHONE, "light"), "phone", quote.first, quote.last)
        _cut(_open(browser, made, WIDTH, "light", web=True), "web", selector=".more-stories")
        browser.close()
    DIGEST.write_text(made.digest + "\n", "utf-8")
    for stray in {path.stem for path in OUT.glob("*.png")} - set(page.pictures):
        (OUT / f"{stray}.png").unlink()
    total = sum(path.stat().st_size for path in OUT.glob("*.png"))
    print(f"{len(page.pictures)} pictures of {PAGE.relative_to(ROOT)}: {total // 1024} KB")


def _open(browser: Browser, made: Rendered, width: int, scheme: str, *, web: bool = False) -> Page:
    """The mail (or the page) with its pictures from memory; the mail has its blocks marked by line, as in the preview."""
    assert made.draft.issue is not None
    html = made.edition.web if web else marked(made.edition.html, find_marks(made.edition.html, made.draft.issue))
    files = {one.name: (one.data, one.media_type) for one in made.pictures}
    if web:
        for name, picture in made.draft.pictures.items():
            wanted = {one.name for one in picture.renditions}
            files |= {one.name: (data, one.media_type) for one, data in make_renditions(made.draft.sources[name], picture, wanted)}
    address = "http://127.0.0.1:9/eurasia-briefing/issue/"

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if route.request.url == address:
            route.fulfill(body=html, content_type="text/html; charset=utf-8")
        elif name in files:
            route.fulfill(body=files[name][0], content_type=files[name][1])
        elif name.endswith(".css"):
            route.fulfill(body=made.css, content_type="text/css")
        else:
            route.abort()

    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light", device_scale_factor=1)
    page.route("**/*", answer)
    page.goto(address)
    # Pictures below the fold wait for somebody who scrolls.
    page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach(image => { image.loading = 'eager' })")
    page.wait_for_function("Array.from(document.images).every(image => image.complete && image.naturalWidth > 0)")
    return page


def _cut(page: Page, name: str, first: int = 0, last: int = 0, selector: str = "") -> None:
    top, bottom = page.evaluate(BOX, [first, last, selector, ROWS, AIR])
    size = page.viewport_size
    assert size is not None
    clip: FloatRect = {"x": 0, "y": top, "width": size["width"], "height": bottom - top}
    path = OUT / f"{name}.png"
    path.write_bytes(_small(page.screenshot(full_page=True, clip=clip)))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KB")


def _small(png: bytes) -> bytes:
    """The picture with as many colours as fit into 25 KB: flat grounds and letters need few."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (64, 32, 16, 8):
        out = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() < MAX_BYTES:
            return out.getvalue()
    raise SystemExit("A picture is too large; shorten its text in docs/sections.md.")


if __name__ == "__main__":
    main()
