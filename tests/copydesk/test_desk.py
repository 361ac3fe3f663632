"""The desk as a whole: the samples, a draft with a fault in nearly every line, repairs, formats, settings, the sheet of facts."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import app, newsroom
from pipeline.cli import main
from pipeline.configuration import load
from pipeline.copydesk.facts import gather, printable
from pipeline.copydesk.finding import Edit
from pipeline.copydesk.fixing import apply, diff
from pipeline.copydesk.formats import github, sarif
from pipeline.copydesk.registry import RULES
from pipeline.core.problem import Problem, Severity
from pipeline.draft import rules as draft_rules
from pipeline.errors import ConfigurationError, Refusal
from pipeline.flow import copydesk, drafts, rendering
from pipeline.flow.context import Desk
from tests.copydesk.reading import BODY_LINE, draft, phone_picture, read, remarks

ISSUE = "eurasia-briefing/2021-08-18-after-kabul"
SAMPLES = [
    ISSUE, f"{ISSUE}-ru", f"{ISSUE}-ug", "eurasia-briefing/2021-07-21-why-beijing-talks-to-the-taliban",
    "eurasia-briefing/2021-08-04-the-view-from-the-neighbors",
]  # fmt: skip


@pytest.fixture
def desk(root: Path) -> Desk:
    """A newsroom that wants every section it knows in every issue."""
    style = root / "config" / "style.toml"
    wanted = 'always = ["expert-corner", "more-stories", "briefs", "watch", "sign-off"]'
    style.write_text(style.read_text("utf-8").replace('always = ["sign-off"]', wanted), "utf-8")
    return app.open_desk(app.load_settings(root, {}))


@pytest.fixture
def path(root: Path) -> Path:
    return root / "issues" / ISSUE / "index.md"


def reloaded(desk: Desk) -> Desk:
    return replace(desk, settings=app.load_settings(desk.settings.root, {}))


@pytest.mark.parametrize("issue", SAMPLES)
def test_the_samples_get_no_finding(desk: Desk, issue: str) -> None:
    assert rendering.examine(desk, issue)[1] == ()


LONG = " ".join(["they talked about the bridge and"] * 10)
PLANTED: list[tuple[str, str]] = [
    ("---", ""),
    ("title: The View From The River.", "heading-stop section-missing"),
    ("subject: ACT NOW AND READ THIS!!", "spam-phrase subject-shouting subject-shouting"),
    ("preheader: The view from the river, once more 🎉🔥", "preheader-repeats subject-emoji"),
    ("---", ""),
    ("Good morning from TK, it begins.", "unfinished"),
    ("", ""),
    ("The talks end in the the capital.", "word-doubled"),
    ("", ""),
    ("The talks  end.", "blank-doubled"),
    ("", ""),
    ("The talks end , they say.", "blank-before-mark"),
    ("", ""),
    ("The talks end,, they say.", "mark-doubled"),
    ("", ""),
    ("The road to Kazakstan is open.", "spelling-house"),
    ("", ""),
    ("They meet on Thursday, August 6, in Avaza.", "weekday"),
    ("", ""),
    ("They met on June 31 in Avaza.", "date-impossible"),
    ("", ""),
    ("He said: “We will come. Nobody came.", "quotes-unpaired"),
    ("", ""),
    ("The bridge (built in 1999 is closed.", "brackets-unpaired"),
    ("", ""),
    ("Some 15 % of them left.", "number-percent"),
    ("", ""),
    ("The border is 76km long.", "number-unit"),
    ("", ""),
    ("It cost 500$ a day.", "number-currency"),
    ("", ""),
    ("Some 20000 reservists came.", "number-thousands"),
    ("", ""),
    ("The bor\u200bder is open.", "invisible-character"),
    ("", ""),
    ("The Kremlin in Mоscow agrees.", "word-mixed"),
    ("", ""),
    ("**Why It Matters: because.", "markup-stray"),
    ("", ""),
    (f"Then {LONG}.", "sentence-long"),
    ("", ""),
    ("Some 15 pct of them left.", "number-house"),
    ("", ""),
    ("The governmnet has gone.", "spelling"),
    ("", ""),
    ("The ministers met on August 30 in Avaza.", "date-future"),
    ("", ""),
    ("The base is handed over on January 20.", "date-year"),
    ("", ""),
    ('![A gate in the wall](phone.jpg "The gate in 2021. (Credit: Desk)")', "picture-heavy picture-personal"),
    ("", ""),
    ("## Photos", ""),
    ("", ""),
    ('![Photo of a gate](contracts.png "The gate. (Credit: Desk)")', "alt-prefix caption-date"),
    ("", ""),
    ('![IMG_2041.jpg](contracts.png "The gate in 2021. (Credit: Desk)")', "alt-file-name"),
    ("", ""),
    ('![The bridge in July 2021](contracts.png "The bridge in July 2021. (Credit: Desk)")', "alt-repeats-caption"),
    ("", ""),
    ("## Links", ""),
    ("", ""),
    ("The report is [here](https://example.org/report).", "link-vague"),
    ("", ""),
    ("See [the plan](https://192.168.1.20/plan).", "link-private"),
    ("", ""),
    ("See [the paper](https://example.org/paper?utm_source=mail).", "link-tracker"),
    ("", ""),
    ("See [the film](https://bit.ly/3abc).", "link-shortener"),
    ("", ""),
    ("See [the report ](https://example.org/b) today.", "link-blank"),
    ("", ""),
    ("See [the letter](https://example.org/b).", "link-twice"),
    ("", ""),
    ("See [the news](https://пример.example/a).", "link-idn"),
    ("", ""),
    ("See https://example.org/contact for more.", "link-bare"),
    ("", ""),
    ("See [bbc.com](https://example.org/c).", "link-mismatch"),
    ("", ""),
    ("See [the old site](http://example.org/d).", "link-http"),
    ("", ""),
    ("> Nobody said this.", "quote-elsewhere"),
    ("> -- Maria Example, mayor", ""),
    ("", ""),
    ("> The talks end.", "quote-source"),
    ("", ""),
    ("## Links", "heading-repeated"),
    ("", ""),
    ("Other words.", ""),
    ("", ""),
    *((f"## {heading}\n\nWords.\n", "") for heading in ("Expert Corner", "Three More Stories From Eurasia", "Across The Supercontinent")),
    ("## Until Next Time\n\nThank you.", ""),
]


def planted() -> tuple[str, list[tuple[int, str]]]:
    """The draft with its faults, and where they are."""
    text, wanted = "", []
    for source, rules in PLANTED:
        line = text.count("\n") + 1
        wanted += [(line, rule) for rule in rules.split()]
        text += source + "\n"
    return text, sorted(wanted)


def test_forty_planted_faults_give_forty_findings_on_their_lines(desk: Desk, path: Path) -> None:
    text, wanted = planted()
    path.write_text(text, "utf-8")
    (path.parent / "phone.jpg").write_bytes(phone_picture(900))
    problems = rendering.judged(desk, drafts.read(desk, ISSUE))
    assert sorted((one.line, one.rule) for one in problems) == wanted
    assert len(wanted) >= 40
    assert all(one.column >= 1 and one.message and one.hint for one in problems)


def test_fix_repairs_what_is_certain_and_nothing_else(desk: Desk, path: Path) -> None:
    text, _ = planted()
    path.write_text(text, "utf-8")
    (path.parent / "phone.jpg").write_bytes(phone_picture(900))
    before = rendering.judged(desk, drafts.read(desk, ISSUE))
    done = copydesk.repair(desk, ISSUE)
    after = path.read_text("utf-8")
    changed = {number for number, (old, new) in enumerate(zip(text.split("\n"), after.split("\n"), strict=True), 1) if old != new}
    assert changed == {one.line for one in before if one.fixable}
    assert done.repairs == sum(one.fixable for one in before) == 13
    left = rendering.judged(desk, drafts.read(desk, ISSUE))
    assert [(one.line, one.rule) for one in left] == [(one.line, one.rule) for one in before if not one.fixable]
    for line in (
        "in the capital.",
        "The talks end.",
        "talks end, they",
        "road to Kazakhstan",
        "15% of",
        "76 km long",
        "$500 a day",
        "15 percent of",
        "The border is open",
    ):
        assert f"+{line}" in done.diff or line in done.diff
    assert "(https://example.org/paper)" in after
    assert copydesk.repair(desk, ISSUE).repairs == 0


def test_fix_keeps_line_ends_and_the_mark_of_the_file(desk: Desk, path: Path) -> None:
    text = path.read_text("utf-8").replace("Good morning, and", "Good morning , and", 1)
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert copydesk.repair(desk, ISSUE).repairs == 1
    assert path.read_bytes() == b"\xef\xbb\xbf" + text.replace("morning , and", "morning, and").replace("\n", "\r\n").encode()


def test_fix_leaves_a_file_alone_that_it_cannot_read(desk: Desk, path: Path) -> None:
    data = path.read_bytes() + b"\xff the the\n"
    path.write_bytes(data)
    assert copydesk.repair(desk, ISSUE).repairs == 0
    assert path.read_bytes() == data


def test_fix_writes_nothing_when_the_draft_would_be_worse(desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = path.read_bytes()
    monkeypatch.setattr(copydesk, "_mended", lambda *_: (path.read_text("utf-8").replace("---\n", "", 1), 1))
    with pytest.raises(Refusal):
        copydesk.repair(desk, ISSUE)
    assert path.read_bytes() == data


def test_overlapping_edits_are_made_one_at_a_time() -> None:
    assert apply("abcdef\r\nx", [Edit(1, 2, 4, "X"), Edit(1, 3, 5, "Y"), Edit(1, 5, 6, ""), Edit(2, 1, 1, "z")]) == "aXdf\r\nzx"
    assert diff("a\r\n", "a\n", "f") == ""


def test_a_link_word_over_markup_is_found_but_not_repaired() -> None:
    (remark,) = [one for one in remarks(draft("in **the** the capital")) if one.problem.rule == "word-doubled"]
    assert remark.edit is None and not remark.problem.fixable


def test_the_packaged_style_names_every_rule_with_its_severity() -> None:
    desk = {rule.id: rule.severity.value for rule in RULES}
    parser = {id: info.severity.value for id, info in draft_rules.RULES.items() if info.severity is Severity.WARNING}
    assert not desk.keys() & draft_rules.RULES.keys()
    assert load(newsroom.packaged(), {}).style.rules == desk | parser


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[rules]\nweekdy = "off"\n', 2, "there is no rule 'weekdy'"),
        ('[rules]\nweekday = "loud"\n', 2, "rules.weekday"),
        ("[limits]\nsentence_words = 40\nsentense = 3\n", 3, "unknown setting limits.sentense"),
        ("[limits]\nlinks = 0\n", 2, "limits.links"),
        ('rules = "all"\n', 1, "rules"),
        ("[colours]\nred = 1\n", None, "unknown setting colours"),
        ("[words]\nKiev = 3\n", 2, "words.Kiev"),
    ],
)
def test_a_wrong_style_stops_the_start(root: Path, text: str, line: int | None, said: str) -> None:
    (root / "config" / "style.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as error:
        load(root, {})
    assert error.value.line == line
    assert said in error.value.message
    assert "style.toml" in error.value.message


def test_a_newsroom_sets_its_own_style(desk: Desk, path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace("Good morning, and", "Good morning , Taliban and", 1), "utf-8")
    style = desk.settings.root / "config" / "style.toml"
    style.write_text('[rules]\nblank-before-mark = "off"\n[limits]\nsentence_words = 9000\n[words]\n"Taliban" = "the Taliban"\n', "utf-8")
    problems = rendering.judged(reloaded(desk), drafts.read(desk, ISSUE))
    assert problems and {one.rule for one in problems} == {"spelling-house"}
    style.unlink()
    assert [one.rule for one in rendering.judged(reloaded(desk), drafts.read(desk, ISSUE))] == ["blank-before-mark"]


def problem(**more: Any) -> Problem:
    given: dict[str, Any] = {
        "rule": "weekday",
        "severity": Severity.WARNING,
        "file": "issues/a,b.md",
        "line": 3,
        "column": 7,
        "message": "50% : so",
    }
    return Problem(**given | more)


def test_the_place_has_a_column_where_it_says_more() -> None:
    assert str(problem()) == "issues/a,b.md:3:7: warning: 50% : so [weekday]"
    assert str(problem(column=1)) == "issues/a,b.md:3: warning: 50% : so [weekday]"


def test_github_commands_are_escaped() -> None:
    assert github([problem(hint="Line\nend")]) == ("::warning file=issues/a%2Cb.md,line=3,col=7,title=weekday::50%25 : so Line%0Aend")


def test_sarif_has_its_structure() -> None:
    log: Any = sarif([problem(), problem(rule="unfinished", severity=Severity.ERROR)], copydesk.reasons(), "1.0")
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["unfinished", "weekday"]
    assert all(rule["shortDescription"]["text"] != rule["id"] for rule in rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note", "none")
        (place,) = result["locations"]
        assert place["physicalLocation"]["region"] == {"startLine": 3, "startColumn": 7}
        assert place["physicalLocation"]["artifactLocation"]["uri"]
    json.dumps(log)


def test_the_sheet_of_facts_has_names_numbers_dates_and_links() -> None:
    text = (
        "In Kabul, Raffaello Pantucci of the Royal United Services Institute said on Friday, August 6, that 76 kilometers and "
        "$1 billion matter.\nKabul’s [report](https://example.org/a) is of 2011.\n\n## Expert Corner\n\nFour words stand here."
    )
    sheet = gather(read(draft(text)))
    assert {fact.text for fact in sheet.of("name")} == {"Kabul", "Raffaello Pantucci", "Royal United Services Institute"}
    assert [fact.text for fact in sheet.of("number")] == ["76 kilometers", "$1 billion"]
    assert [fact.text for fact in sheet.of("date")] == ["Friday, August 6", "2011"]
    assert [(fact.text, fact.places[0].line) for fact in sheet.of("link")] == [("https://example.org/a", BODY_LINE + 1)]
    assert dict(sheet.sections)["Expert Corner"] == 4
    assert "[ ] Raffaello Pantucci  (line 7)" in printable(sheet)


def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], root: Path, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["briefing", "check", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    code = 0
    capfd.readouterr()
    try:
        main.run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    said = capfd.readouterr()
    return code, said.out, said.err


def test_the_command_fixes_and_speaks_to_machines(
    root: Path, path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path.write_text(path.read_text("utf-8").replace("Good morning, and", "Good morning , TODO and", 1), "utf-8")
    code, said, _ = run(monkeypatch, capfd, root, ISSUE)
    assert code == 1
    assert f"issues/{ISSUE}/index.md:9:13: warning: a blank before , [blank-before-mark]" in said
    code, said, _ = run(monkeypatch, capfd, root, ISSUE, "--format", "github")
    assert code == 1
    assert said.startswith("::warning file=issues/")
    code, said, _ = run(monkeypatch, capfd, root, ISSUE, "--format", "sarif")
    assert [one["ruleId"] for one in json.loads(said)["runs"][0]["results"]] == ["blank-before-mark", "unfinished"]
    code, said, _ = run(monkeypatch, capfd, root, ISSUE, "--fix", "--json")
    (issue,) = json.loads(said)["issues"]
    assert (issue["repairs"], [one["rule"] for one in issue["problems"]]) == (1, ["unfinished"])
    path.write_text(path.read_text("utf-8").replace("TODO and", "and  and", 1), "utf-8")
    code, said, _ = run(monkeypatch, capfd, root, ISSUE, "--fix")
    assert code == 0
    assert "-Good morning, and  and" in said and "+Good morning, and welcome" in said


def test_the_command_prints_the_sheet(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    code, said, _ = run(monkeypatch, capfd, root, ISSUE, "--facts")
    assert code == 0
    assert "minutes to read" in said and "[ ] Zabihullah Mujahid  (line 25)" in said
    assert re.search(r"Expert Corner +\d+   usually \d+ \([+-]\d+%\)", said)
    _, said, _ = run(monkeypatch, capfd, root, ISSUE, "--facts", "--json")
    assert json.loads(said)["issues"][0]["words"] > 900
