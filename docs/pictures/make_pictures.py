"""Draw the pictures of the sample newsroom: three locator maps, two charts and the desk's emblem.

    python docs/pictures/make_pictures.py ATLAS FONTS [--newsroom DIR] [--only NAME]

ATLAS is `countries-50m.json` from the npm package `world-atlas` (Natural Earth, public domain); FONTS is a folder that
holds the Lato typeface. `README.md` beside this file says where both come from.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageFont

SIZE = (1200, 675)
SCALE = 3  # everything is drawn three times too large, then reduced: that is the anti-aliasing
EARTH_KM = 6371.0

WATER, LAND, NEAR, FOCUS = "#d5dfe3", "#efece5", "#e3ddd0", "#e7c9c7"
BORDER, COAST, ACCENT = "#b0a898", "#a9b6bb", "#8a1c2b"
INK, SOFT, PAPER = "#23262b", "#6d675d", "#fbfaf7"

Point = tuple[float, float]
Weight = Literal["Regular", "Medium", "Semibold", "Bold", "Italic"]
# Where a label stands, seen from its dot.
Side = Literal["right", "left", "above", "below"]


# --- the atlas -------------------------------------------------------------------------------------------------------


class Atlas:
    """A TopoJSON file, decoded: countries as rings of arcs, so that a shared border is a shared arc."""

    def __init__(self, path: Path) -> None:
        topology = json.loads(path.read_text(encoding="utf-8"))
        scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
        self.arcs = [list(_unpack(arc, scale, shift)) for arc in topology["arcs"]]
        self.countries: dict[str, list[list[list[int]]]] = {}
        for shape in topology["objects"]["countries"]["geometries"]:
            polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
            self.countries.setdefault(shape["properties"]["name"], []).extend(polygons)

    def ring(self, arc_numbers: Iterable[int]) -> list[Point]:
        """One closed ring; a negative number is an arc walked backwards (TopoJSON, section 2.1.4)."""
        points: list[Point] = []
        for number in arc_numbers:
            arc = self.arcs[number] if number >= 0 else self.arcs[~number][::-1]
            points.extend(arc[1:] if points else arc)
        return points

    def owners(self) -> dict[int, set[str]]:
        """Which countries use each arc: two mean a land border, one means a coast."""
        found: dict[int, set[str]] = {}
        for name, polygons in self.countries.items():
            for polygon in polygons:
                for ring in polygon:
                    for number in ring:
                        found.setdefault(number if number >= 0 else ~number, set()).add(name)
        return found


def _unpack(arc: list[list[int]], scale: list[float], shift: list[float]) -> Iterator[Point]:
    x = y = 0
    for dx, dy in arc:
        x, y = x + dx, y + dy
        yield x * scale[0] + shift[0], y * scale[1] + shift[1]


class Projection:
    """Lambert's conformal conic: shapes stay true in the middle latitudes, where all our maps lie."""

    def __init__(self, centre: Point, width_km: float) -> None:
        self.lon, lat = centre
        spread = width_km / EARTH_KM / 6
        low, high = math.radians(lat) - spread, math.radians(lat) + spread
        self.n = math.log(math.cos(low) / math.cos(high)) / math.log(_cot(low) / _cot(high))
        self.f = math.cos(low) / (_cot(low) ** self.n) / self.n
        self.origin = self.f * _cot(math.radians(lat)) ** self.n
        self.pixels_per_km = SIZE[0] * SCALE / width_km

    def __call__(self, place: Point) -> Point:
        lon, lat = place
        rho = self.f * _cot(math.radians(max(lat, -80.0))) ** self.n
        angle = self.n * math.radians(lon - self.lon)
        unit = EARTH_KM * self.pixels_per_km
        return (
            SIZE[0] * SCALE / 2 + unit * rho * math.sin(angle),
            SIZE[1] * SCALE / 2 - unit * (self.origin - rho * math.cos(angle)),
        )


def _cot(latitude: float) -> float:
    """Minus the usual sign: falls towards the pole, as the cone's radius does."""
    return 1 / math.tan(math.pi / 4 + latitude / 2)


# --- the pen ---------------------------------------------------------------------------------------------------------


class Sheet:
    """A drawing surface measured in the finished picture's pixels."""

    def __init__(self, fonts: Path, size: tuple[int, int] = SIZE, background: str = WATER) -> None:
        self.fonts, self.size = fonts, size
        self.image = Image.new("RGB", (size[0] * SCALE, size[1] * SCALE), background)
        self.pen = ImageDraw.Draw(self.image)

    def font(self, size: float, weight: Weight) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(str(self.fonts / f"Lato-{weight}.ttf"), round(size * SCALE))

    def width(self, text: str, size: float, weight: Weight = "Regular", spacing: float = 0) -> float:
        return self.font(size, weight).getlength(text) / SCALE + spacing * max(len(text) - 1, 0)

    def text(
        self,
        at: Point,
        text: str,
        size: float,
        *,
        weight: Weight = "Regular",
        fill: str = INK,
        halo: str | None = None,
        anchor: str = "ls",
        spacing: float = 0,
    ) -> None:
        """One line of text; `spacing` sets the letters apart, as map makers do with the names of countries."""
        font, (x, y) = self.font(size, weight), at
        if not spacing:
            self.pen.text(
                (x * SCALE, y * SCALE),
                text,
                font=font,
                fill=fill,
                anchor=anchor,
                stroke_width=round(2.5 * SCALE) if halo else 0,
                stroke_fill=halo,
            )
            return
        x -= {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * self.width(text, size, weight, spacing)
        for letter in text:
            self.pen.text((x * SCALE, y * SCALE), letter, font=font, fill=fill, anchor="l" + anchor[1])
            x += font.getlength(letter) / SCALE + spacing

    def line(self, points: list[Point], fill: str, width: float) -> None:
        self.pen.line([(x * SCALE, y * SCALE) for x, y in points], fill=fill, width=round(width * SCALE), joint="curve")

    def box(self, corners: tuple[float, float, float, float], fill: str, radius: float = 0) -> None:
        self.pen.rounded_rectangle(tuple(value * SCALE for value in corners), radius * SCALE, fill=fill)

    def dot(self, at: Point, radius: float, fill: str, ring: str | None = None) -> None:
        x, y, r = at[0] * SCALE, at[1] * SCALE, radius * SCALE
        self.pen.ellipse((x - r, y - r, x + r, y + r), fill=fill, outline=ring, width=round(2 * SCALE) if ring else 0)

    def save(self, path: Path, colours: int = 128) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        small = self.image.resize(self.size, Image.Resampling.LANCZOS)
        small.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)


# --- maps ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    name: str
    at: Point
    side: Side = "right"
    mark: Literal["city", "capital", "crossing", "site"] = "city"


@dataclass(frozen=True)
class Country:
    name: str
    at: Point
    size: float = 22
    focus: bool = False


@dataclass(frozen=True)
class Callout:
    lines: tuple[str, ...]
    text_at: Point  # in pixels
    tip: Point  # in degrees
    elbow: Point  # in pixels: where the leader leaves the text
    anchor: Literal["l", "m", "r"] = "l"


@dataclass(frozen=True)
class Map:
    title: str
    subtitle: str
    centre: Point
    width_km: float
    focus: str
    near: tuple[str, ...]
    scale_km: int
    countries: tuple[Country, ...] = ()
    places: tuple[Place, ...] = ()
    callouts: tuple[Callout, ...] = ()
    bold_border: tuple[str, str] = ("Afghanistan", "China")
    note: str = "Boundaries as in Natural Earth; some are disputed"


def draw_map(atlas: Atlas, fonts: Path, plan: Map) -> Sheet:
    sheet = Sheet(fonts)
    project = Projection(plan.centre, plan.width_km)
    _draw_land(sheet, atlas, project, plan)
    _draw_borders(sheet, atlas, project, plan)
    for country in plan.countries:
        x, y = _on_sheet(project, country.at)
        fill = ACCENT if country.focus else SOFT
        weight: Weight = "Bold" if country.focus else "Medium"
        for row, name in enumerate(country.name.upper().split("\n")):
            sheet.text(
                (x, y + row * country.size * 1.2),
                name,
                country.size,
                weight=weight,
                fill=fill,
                anchor="mm",
                spacing=country.size * 0.16,
            )
    for callout in plan.callouts:
        _draw_callout(sheet, project, callout)
    for place in plan.places:
        _draw_place(sheet, project, place)
    _draw_key(sheet, plan, project)
    return sheet


def _on_sheet(project: Projection, place: Point) -> Point:
    x, y = project(place)
    return x / SCALE, y / SCALE


def _draw_land(sheet: Sheet, atlas: Atlas, project: Projection, plan: Map) -> None:
    tint = {plan.focus: FOCUS, **dict.fromkeys(plan.near, NEAR)}
    for name, polygons in atlas.countries.items():
        for polygon in polygons:
            ring = atlas.ring(polygon[0])
            if max(lat for _, lat in ring) < 0:
                continue  # a cone opens southwards without end: Antarctica would wrap around the whole sheet
            shape = [project(point) for point in ring]
            if _in_view(shape):
                sheet.pen.polygon(shape, fill=tint.get(name, LAND))


def _draw_borders(sheet: Sheet, atlas: Atlas, project: Projection, plan: Map) -> None:
    def stroke(number: int, fill: str, width: float) -> None:
        line = [project(point) for point in atlas.arcs[number]]
        if _in_view(line):
            sheet.line([(x / SCALE, y / SCALE) for x, y in line], fill, width)

    owners = atlas.owners()
    for number, names in owners.items():
        stroke(number, BORDER if len(names) > 1 else COAST, 1.4)
    for number, names in owners.items():
        if plan.focus in names:
            stroke(number, "#a8646b", 2.2)
    for number, names in owners.items():
        if names == set(plan.bold_border):
            stroke(number, ACCENT, 7)


def _in_view(points: list[Point]) -> bool:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return max(xs) > 0 and min(xs) < SIZE[0] * SCALE and max(ys) > 0 and min(ys) < SIZE[1] * SCALE


def _draw_place(sheet: Sheet, project: Projection, place: Place) -> None:
    x, y = _on_sheet(project, place.at)
    if place.mark == "capital":
        sheet.dot((x, y), 7, INK)
        sheet.dot((x, y), 3, PAPER)
    elif place.mark == "crossing":
        sheet.box((x - 7, y - 7, x + 7, y + 7), INK)
        sheet.box((x - 4, y - 4, x + 4, y + 4), PAPER)
    elif place.mark == "site":
        for reach, fill in ((12.0, PAPER), (9.5, ACCENT)):
            corners = ((x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y))
            sheet.pen.polygon([(a * SCALE, b * SCALE) for a, b in corners], fill=fill)
    else:
        sheet.dot((x, y), 5, INK)
    gap = 13
    rows = place.name.split("\n")
    weight: Weight = "Bold" if place.mark == "capital" else "Semibold" if place.mark == "site" else "Medium"
    fill = ACCENT if place.mark == "site" else INK
    spots: dict[Side, tuple[Point, str]] = {
        "right": ((x + gap, y - (len(rows) - 1) * 12), "lm"),
        "left": ((x - gap, y - (len(rows) - 1) * 12), "rm"),
        "above": ((x, y - gap - 9 - (len(rows) - 1) * 25), "mm"),
        "below": ((x, y + gap + 10), "mm"),
    }
    (tx, ty), anchor = spots[place.side]
    for row, name in enumerate(rows):
        sheet.text((tx, ty + row * 25), name, 23, weight=weight, fill=fill, halo=PAPER, anchor=anchor)


def _draw_callout(sheet: Sheet, project: Projection, callout: Callout) -> None:
    tip = _on_sheet(project, callout.tip)
    sheet.line([callout.elbow, tip], INK, 1.6)
    x, y = callout.text_at
    for row, text in enumerate(callout.lines):
        weight: Weight = "Bold" if row == 0 else "Regular"
        fill = ACCENT if row == 0 else INK
        sheet.text((x, y + row * 29), text, 23, weight=weight, fill=fill, halo=PAPER, anchor=callout.anchor + "s")


def _draw_key(sheet: Sheet, plan: Map, project: Projection) -> None:
    """The title on its own card, and under the map a scale and the note on boundaries."""
    width = max(sheet.width(plan.title, 30, "Bold"), sheet.width(plan.subtitle, 21)) + 48
    sheet.box((0, 0, width, 92), PAPER)
    sheet.box((0, 0, width, 6), ACCENT)
    sheet.text((24, 47), plan.title, 30, weight="Bold")
    sheet.text((24, 77), plan.subtitle, 21, fill=SOFT)

    length = plan.scale_km * project.pixels_per_km / SCALE
    x, y = 24.0, SIZE[1] - 24.0
    sheet.line([(x, y - 8), (x, y), (x + length, y), (x + length, y - 8)], INK, 2)
    sheet.text((x + length / 2, y - 11), f"{plan.scale_km} km", 20, anchor="ms", halo=PAPER)
    sheet.text((SIZE[0] - 18, SIZE[1] - 16), plan.note, 17, weight="Italic", fill=SOFT, halo=PAPER, anchor="rs")


REGION = Map(
    title="A short border, a wide neighborhood",
    subtitle="Afghanistan, China and the states between",
    centre=(74.6, 37.4),
    width_km=3450,
    focus="Afghanistan",
    near=("China",),
    scale_km=500,
    countries=(
        Country("Afghanistan", (65.1, 33.1), 24, focus=True),
        Country("China", (86.5, 38.6), 32),
        Country("Kazakhstan", (76.3, 44.85), 22),
        Country("Uzbekistan", (62.9, 41.7), 18),
        Country("Turkmenistan", (60.2, 39.2), 18),
        Country("Kyrgyzstan", (74.6, 41.55), 18),
        Country("Tajikistan", (71.4, 38.95), 15),
        Country("Iran", (57.3, 33.2), 24),
        Country("Pakistan", (70.1, 29.7), 20),
        Country("India", (77.6, 30.1), 24),
    ),
    places=(
        Place("Kabul", (69.17, 34.53), "left", "capital"),
        Place("Islamabad", (73.05, 33.69), "right", "capital"),
        Place("Dushanbe", (68.78, 38.56), "left", "capital"),
        Place("Tashkent", (69.24, 41.31), "above", "capital"),
        Place("Ashgabat", (58.38, 37.95), "below", "capital"),
        Place("Kashgar", (75.99, 39.47), "right"),
        Place("Urumqi", (87.62, 43.83), "right"),
    ),
    callouts=(
        Callout(("76 kilometers", "China’s only border", "with Afghanistan"), (800, 398), (74.62, 37.2), (792, 398)),
    ),
)

WAKHAN = Map(
    title="The neighbors’ view",
    subtitle="Tajikistan, Badakhshan and the Wakhan",
    centre=(71.95, 38.05),
    width_km=1130,
    focus="Tajikistan",
    near=("Afghanistan",),
    scale_km=100,
    countries=(
        Country("Tajikistan", (71.3, 38.72), 26, focus=True),
        Country("Afghanistan", (68.9, 35.75), 26),
        Country("Uzbekistan", (66.45, 39.0), 18),
        Country("Kyrgyzstan", (72.85, 40.1), 22),
        Country("China", (76.9, 38.75), 26),
        Country("Pakistan", (73.4, 35.75), 24),
    ),
    places=(
        Place("Dushanbe", (68.78, 38.56), "right", "capital"),
        Place("Khorog", (71.55, 37.49), "right"),
        Place("Murghab", (73.97, 38.17), "left"),
        Place("Faizabad", (70.58, 37.12), "below"),
        Place("Kunduz", (68.87, 36.73), "right"),
        Place("Termez", (67.28, 37.22), "above"),
        Place("Kashgar", (75.99, 39.47), "right"),
        Place("Tashkurgan", (75.23, 37.77), "right"),
        Place("Shir Khan", (68.62, 37.18), "above", "crossing"),
    ),
    callouts=(
        Callout(("Wakhan Corridor", "A strip of Afghanistan"), (700, 528), (72.9, 36.87), (740, 503)),
        Callout(("76 kilometers", "Afghan–Chinese border"), (940, 452), (74.75, 37.26), (934, 445)),
    ),
)

ECONOMY = Map(
    title="Paper assets",
    subtitle="Chinese contracts and the main border crossings",
    centre=(67.2, 34.22),
    width_km=1920,
    focus="Afghanistan",
    near=("China",),
    scale_km=200,
    countries=(
        Country("Afghanistan", (65.0, 33.0), 28, focus=True),
        Country("Iran", (59.2, 32.6), 26),
        Country("Pakistan", (70.6, 30.8), 26),
        Country("Turkmenistan", (62.25, 37.0), 20),
        Country("Uzbekistan", (66.45, 38.55), 16),
        Country("Tajikistan", (69.85, 38.6), 16),
        Country("China", (76.4, 38.2), 22),
        Country("India", (76.5, 31.9), 22),
    ),
    places=(
        Place("Kabul", (69.17, 34.53), "above", "capital"),
        Place("Herat", (62.2, 34.35), "below"),
        Place("Kandahar", (65.71, 31.61), "left"),
        Place("Mazar-e Sharif", (67.11, 36.71), "right"),
        Place("Islam Qala", (61.07, 34.66), "left", "crossing"),
        Place("Spin Boldak", (66.44, 30.95), "right", "crossing"),
        Place("Torkham", (71.09, 34.13), "right", "crossing"),
        Place("Hairatan", (67.42, 37.23), "above", "crossing"),
        Place("Shir Khan", (68.62, 37.18), "right", "crossing"),
        Place("Amu Darya\noil basin", (65.75, 36.25), "below", "site"),
        Place("Aynak copper mine", (69.3, 34.26), "left", "site"),
    ),
    callouts=(Callout(("76 kilometers", "with China"), (930, 192), (74.5, 37.25), (990, 168)),),
)


# --- charts ----------------------------------------------------------------------------------------------------------


def draw_borders_chart(fonts: Path) -> Sheet:
    """Afghanistan's land borders. The World Factbook's lengths; for China the 76 kilometers that we print."""
    rows = (
        ("Pakistan", 2670),
        ("Tajikistan", 1357),
        ("Iran", 921),
        ("Turkmenistan", 804),
        ("Uzbekistan", 144),
        ("China", 76),
    )
    sheet = Sheet(fonts, background=PAPER)
    _chart_head(sheet, "The shortest line on the map", "Afghanistan’s land borders, in kilometers")
    left, top, step, unit = 236.0, 158.0, 80.0, 820 / 2670
    sheet.line([(left, top - 16), (left, top + step * len(rows) - 16)], BORDER, 2)
    for number, (name, length) in enumerate(rows):
        y = top + number * step
        ours = name == "China"
        weight: Weight = "Bold" if ours else "Medium"
        sheet.text((left - 18, y + 25), name, 28, weight=weight, fill=ACCENT if ours else INK, anchor="rm")
        sheet.box((left, y, left + length * unit, y + 50), ACCENT if ours else "#b9b09f")
        sheet.text(
            (left + length * unit + 14, y + 25),
            f"{length:,}",
            28,
            weight=weight,
            fill=ACCENT if ours else INK,
            anchor="lm",
        )
    return sheet


def draw_timeline(fonts: Path) -> Sheet:
    """China's contacts with the Taliban: the steps that our sources give."""
    steps = (
        (1999, "Officials fly\nto Kabul", 0),
        (2000, "Ambassador meets\nMullah Omar", 1),
        (2001, "Taliban driven\nfrom Kabul", 2),
        (2014, "Delegations begin\nto visit China", 0),
        (2021, "Contacts step up as\nU.S. troops leave", 1),
    )
    sheet = Sheet(fonts, background=PAPER)
    _chart_head(sheet, "Two decades of caution", "Contacts between Beijing and the Taliban")
    left, unit, axis = 90.0, 1000 / 22, 575.0
    sheet.line([(left - 30, axis), (left + 22 * unit + 60, axis)], INK, 3)
    for year in range(1999, 2022):
        x = left + (year - 1999) * unit
        sheet.line([(x, axis), (x, axis + (14 if year % 5 == 0 else 7))], INK, 2)
        if year % 5 == 0:
            sheet.text((x, axis + 44), str(year), 24, fill=SOFT, anchor="ms")
    for year, words, level in steps:
        x, y = left + (year - 1999) * unit, 186.0 + level * 124
        last = year == 2021
        sheet.line([(x, y - 26), (x, axis)], ACCENT if last else BORDER, 2.5)
        sheet.dot((x, axis), 9, ACCENT if last else INK)
        side, shift = ("r", -14) if last else ("l", 14)
        sheet.text((x + shift, y), str(year), 30, weight="Bold", fill=ACCENT if last else INK, anchor=side + "s")
        for row, line in enumerate(words.split("\n")):
            sheet.text((x + shift, y + 32 + row * 30), line, 25, anchor=side + "s")
    return sheet


def _chart_head(sheet: Sheet, title: str, subtitle: str) -> None:
    sheet.box((0, 0, SIZE[0], 6), ACCENT)
    sheet.text((40, 66), title, 38, weight="Bold")
    sheet.text((40, 106), subtitle, 26, fill=SOFT)


def draw_emblem(fonts: Path) -> Sheet:
    """The desk's emblem: a globe's meridians over three lines of type."""
    sheet = Sheet(fonts, (400, 400), ACCENT)
    pen, centre, radius = sheet.pen, 200 * SCALE, 112 * SCALE
    pale, width = "#f6e9e4", 9 * SCALE
    for share in (1.0, 0.45):
        reach = radius * share
        pen.ellipse((centre - reach, centre - radius, centre + reach, centre + radius), outline=pale, width=width)
    for rise in (-0.5, 0.0, 0.5):
        reach, y = math.sqrt(1 - rise * rise) * radius - width * 0.6, centre + rise * radius
        pen.line([(centre - reach, y), (centre + reach, y)], fill=pale, width=width)
    return sheet


# --- the door --------------------------------------------------------------------------------------------------------


def pictures(atlas: Atlas, fonts: Path) -> dict[str, Callable[[], Sheet]]:
    """Every picture of the sample newsroom, under its path in the newsroom."""
    issues = "issues/eurasia-briefing"
    return {
        f"{issues}/2021-07-21-why-beijing-talks-to-the-taliban/region.png": lambda: draw_map(atlas, fonts, REGION),
        f"{issues}/2021-07-21-why-beijing-talks-to-the-taliban/timeline.png": lambda: draw_timeline(fonts),
        f"{issues}/2021-08-04-the-view-from-the-neighbors/wakhan.png": lambda: draw_map(atlas, fonts, WAKHAN),
        f"{issues}/2021-08-04-the-view-from-the-neighbors/borders.png": lambda: draw_borders_chart(fonts),
        f"{issues}/2021-08-18-after-kabul/contracts.png": lambda: draw_map(atlas, fonts, ECONOMY),
        "config/authors/desk.png": lambda: draw_emblem(fonts),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of the sample newsroom.")
    parser.add_argument("atlas", type=Path, help="countries-50m.json of the npm package world-atlas")
    parser.add_argument("fonts", type=Path, help="a folder with Lato-Regular.ttf and its siblings")
    parser.add_argument("--newsroom", type=Path, default=Path("."), help="where to put the pictures (default: here)")
    parser.add_argument("--only", default="", help="draw only the pictures whose path contains this")
    chosen: Any = parser.parse_args(arguments)
    for path, draw in pictures(Atlas(chosen.atlas), chosen.fonts).items():
        if chosen.only in path:
            target = chosen.newsroom / path
            draw().save(target)
            print(f"{path}: {target.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
