"""What people get wrong and what machines do to them: one clear message, the right exit code, nothing half-written."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.providers.sandbox.faults import parse_faults
from pipeline.providers.sandbox.run import start_in_thread
from tests.doors.conftest import Briefing

Process = Callable[..., subprocess.Popen[str]]
ISSUE = "eurasia-briefing/2021-08-18-after-kabul"


@pytest.fixture
def draft(root: Path) -> Path:
    """The newest sample draft."""
    return root / "issues" / ISSUE / "index.md"


def spoil(path: Path, old: str, new: str) -> int:
    """Replaces the first occurrence; gives its line."""
    text = path.read_text("utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "rule", "shift"),
    [
        ("topics: [", "topics: [[", "yaml", 0),
        ("## Expert Corner", "<div>raw</div>\n\n## Expert Corner", "raw-html", 0),
        ("## Expert Corner", "## Expert Corner\n\n#### Too deep", "heading-order", 2),
        ("contracts.png", "missing.png", "picture-missing", 0),
    ],
)
def test_a_broken_draft_names_file_line_and_rule(briefing: Briefing, draft: Path, old: str, new: str, rule: str, shift: int) -> None:
    line = spoil(draft, old, new)
    done = briefing("check", ISSUE)
    assert done.code == 1
    assert f"index.md:{line + shift}: error:" in done.out
    assert f"[{rule}" in done.out
    for command in (("render", ISSUE, "--out", "out"), ("approve", ISSUE)):
        refused = briefing(*command)
        assert refused.code == 1
        assert "briefing check" in refused.err
    assert not (draft.parents[3] / "out").exists()


def test_all_problems_at_once(briefing: Briefing, draft: Path) -> None:
    spoil(draft, "## Expert Corner", "<b>raw</b>\n\n## Expert Corner")
    spoil(draft, "title:", "author: nobody\ntitle:")
    found = briefing("check", ISSUE, "--json")
    assert found.code == 1
    rules = {one["rule"] for one in found.json["issues"][0]["problems"]}
    assert {"author-unknown", "raw-html"} <= rules
    assert all(one["line"] and one["file"] and one["message"] for one in found.json["issues"][0]["problems"])


def test_a_template_that_raises_is_named(briefing: Briefing, root: Path) -> None:
    (root / "templates" / "email").mkdir()
    (root / "templates" / "email" / "masthead.html").write_text("<p>\n{{ 1 / 0 }}\n</p>", "utf-8")
    done = briefing("render", ISSUE, "--out", "out")
    assert done.code == 2
    assert "templates/email/masthead.html:2" in done.err
    assert not (root / "out").exists()


def test_a_template_may_not_reach_into_the_program(briefing: Briefing, root: Path) -> None:
    (root / "templates" / "email").mkdir()
    (root / "templates" / "email" / "masthead.html").write_text("{{ ''.__class__.__mro__ }}", "utf-8")
    assert briefing("check", ISSUE).code == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("config/newsroom.toml", "base_url", "base_ulr", "newsroom.toml:"),
        ("config/newsroom.toml", 'name = "sandbox"', 'name = "pigeon"', "pigeon"),
        ("config/newsroom.toml", 'time_zone = "Europe/Prague"', 'time_zone = "Prague"', "is not a time zone"),
        ("config/newsletters/eurasia-briefing.toml", 'if_late = "hold"', 'if_late = "maybe"', "schedule.if_late"),
        ("config/newsletters/eurasia-briefing.toml", 'not_after = "2h"', 'not_after = "soon"', "is not a duration"),
        ("config/newsletters/eurasia-briefing.toml", "tagline", "tagine", "unknown setting tagine"),
        ("config/authors/desk.toml", "name =", "nom =", "unknown setting nom"),
        ("config/authors/desk.toml", "[editions.ru]", "[editions.ru]\nnom = 1", "unknown setting editions.ru.nom"),
        ("config/newsroom.toml", "[provider.mailgun]", '[provider.mailgun]\napi_key = "key-1"', "BRIEFING_MAILGUN_API_KEY"),
        ("config/newsroom.toml", "[provider]", "[provider", "newsroom.toml:"),
    ],
)
def test_a_wrong_setting_names_file_and_line(briefing: Briefing, root: Path, file: str, old: str, new: str, said: str) -> None:
    spoil(root / file, old, new)
    done = briefing("config", "show")
    assert done.code == 2
    assert said in done.err
    assert Path(file).name in done.err
    assert "key-1" not in done.err
    assert not (root / "var").exists()


@pytest.mark.parametrize(
    ("setting", "colour", "shown"), [("accent", "#ffcc00", "#735c00"), ("accent", "#8a1c2b", ""), ("accent_dark", "#331100", "#a3948c")]
)
def test_an_accent_that_nobody_could_read_is_a_problem_with_its_line(
    briefing: Briefing, root: Path, setting: str, colour: str, shown: str
) -> None:
    path = root / "config" / "newsletters" / "eurasia-briefing.toml"
    path.write_text(re.sub(rf"(?m)^{setting} = .*$", f'{setting} = "{colour}"', path.read_text("utf-8")), "utf-8")
    found = [one for one in briefing("check", ISSUE, "--json").json["issues"][0]["problems"] if one["rule"] == "accent-contrast"]
    assert [one["severity"] for one in found] == ["warning"] * bool(shown)
    for one in found:
        assert path.read_text("utf-8").splitlines()[one["line"] - 1].startswith(f"{setting} =")
        assert one["file"] == "config/newsletters/eurasia-briefing.toml"
        assert f"brand.{setting}" in one["hint"]
        assert shown in one["message"]


def test_an_unknown_environment_variable_is_named(briefing: Briefing) -> None:
    done = briefing("config", "show", environment={"BRIEFING_MAILGUN_APIKEY": "secret"})
    assert done.code == 2
    assert "BRIEFING_MAILGUN_APIKEY" in done.err
    assert "secret" not in done.err


def test_a_missing_secret_is_named(briefing: Briefing) -> None:
    done = briefing("doctor", environment={"BRIEFING_PROVIDER": "mailgun"})
    assert done.code == 1
    assert "BRIEFING_MAILGUN_API_KEY" in done.out


def test_the_doctor_sees_that_no_worker_runs(briefing: Briefing) -> None:
    checks = {one["check"]: one["ok"] for one in briefing("doctor", "--json").json["checks"]}
    assert checks["database"]
    assert not checks["worker"]
    assert not checks["provider sandbox"]


def test_no_newsroom_here(briefing: Briefing, tmp_path: Path) -> None:
    done = briefing("status", cwd=tmp_path)
    assert done.code == 2
    assert "briefing init" in done.err


def test_a_newsroom_without_newsletters(briefing: Briefing, root: Path) -> None:
    shutil.rmtree(root / "config" / "newsletters")
    done = briefing("check", ISSUE)
    assert done.code == 2
    assert "config/newsletters" in done.err
    assert briefing("doctor").code == 1


def test_unknown_issue_campaign_and_batch(briefing: Briefing) -> None:
    assert "2021-08-18-after-kabul" in briefing("check", "eurasia-briefing/2021-08-18-nothing").err
    assert briefing("status", "99").code == 2
    assert briefing("resolve", "1.1", "accepted").code == 2
    assert briefing("resolve", "one", "accepted").code == 2


def test_init_never_overwrites(briefing: Briefing, root: Path) -> None:
    done = briefing("init", str(root))
    assert done.code == 1
    assert "not empty" in done.err


def test_new_never_overwrites(briefing: Briefing) -> None:
    assert briefing("new", "eurasia-briefing", "A headline", "--date", "2026-12-02").code == 0
    again = briefing("new", "eurasia-briefing", "A headline", "--date", "2026-12-02")
    assert again.code == 1
    assert "exists already" in again.err


# --- readers ----------------------------------------------------------------------------------------------------------


def test_a_latin_1_file_is_refused_whole_and_names_the_line(briefing: Briefing, root: Path) -> None:
    rows = ["email;name", *(f"reader{n}@example.org;Reader" for n in range(3000)), "last@example.org;Jos\xe9"]
    (root / "readers.csv").write_bytes("\n".join(rows).encode("latin-1"))
    done = briefing("readers", "import", "readers.csv", "--newsletter", "eurasia-briefing", "--consent", "x")
    assert done.code == 2
    assert "readers.csv:3002:" in done.err
    assert "UTF-8" in done.err
    assert briefing("readers", "stats", "--json").json == {"eurasia-briefing": {}}


def test_bad_rows_are_listed_and_good_ones_taken(briefing: Briefing, root: Path) -> None:
    text = "\ufeffName\tE-Mail\nA\ta@example.org\nB\tno address\n\nC\tA@EXAMPLE.ORG\nD\td@example.org\nE\n"
    (root / "readers.tsv").write_text(text, "utf-8")
    done = briefing("readers", "import", "readers.tsv", "--newsletter", "eurasia-briefing", "--consent", "web form 2026", "--json")
    assert done.code == 0
    assert {key: done.json[key] for key in ("rows", "added", "present", "refused")} == {"rows": 5, "added": 2, "present": 1, "refused": 2}
    assert [one["line"] for one in done.json["refusals"]] == [3, 7]
    assert "no address" not in done.err
    assert "a@example.org" not in done.err + done.out


def test_readers_without_consent_get_no_mail(briefing: Briefing, root: Path) -> None:
    (root / "readers.csv").write_text("email\na@example.org\n", "utf-8")
    assert "pending" in briefing("readers", "import", "readers.csv", "--newsletter", "eurasia-briefing").out
    assert briefing("approve", ISSUE).code == 0
    done = briefing("send", ISSUE)
    assert done.code == 1
    assert "nobody is subscribed" in done.err


def test_a_file_without_addresses(briefing: Briefing, root: Path) -> None:
    (root / "readers.csv").write_text("name,town\nA,B\n", "utf-8")
    done = briefing("readers", "import", "readers.csv", "--newsletter", "eurasia-briefing")
    assert done.code == 2
    assert "name, town" in done.err


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "code", "said"),
    [
        ("2027-03-28 02:30", 1, "does not exist in Europe/Prague"),
        ("2026-10-25 02:30", 1, "is past|exists twice"),
        ("2027-10-31 02:30", 1, "exists twice"),
        ("2020-01-01 07:00", 1, "is past"),
        ("tomorrow", 2, "for instance"),
    ],
)
def test_times_that_cannot_be(briefing: Briefing, when: str, code: int, said: str) -> None:
    assert briefing("approve", ISSUE).code == 0
    done = briefing("schedule", ISSUE, "--at", when)
    assert done.code == code
    assert any(words in done.err for words in said.split("|"))


def test_a_time_is_said_in_both_zones(briefing: Briefing) -> None:
    briefing("approve", ISSUE)
    done = briefing("schedule", ISSUE, "--at", "2027-10-31 02:30", "--fold", "second")
    assert done.code == 0
    assert "Sunday 2027-10-31 02:30 in Europe/Prague (UTC+0100)" in done.out
    assert "2027-10-31 01:30 UTC" in done.out


# --- machines ---------------------------------------------------------------------------------------------------------


def test_a_provider_that_answers_401(briefing: Briefing, process: Process, root: Path) -> None:
    (root / "readers.csv").write_text("email\na@example.org\n", "utf-8")
    briefing("readers", "import", "readers.csv", "--newsletter", "eurasia-briefing", "--consent", "x")
    briefing("approve", ISSUE)
    number = briefing("send", ISSUE, "--json").json["campaign"]
    inbox = start_in_thread(root / "var" / "sandbox.db", faults=parse_faults("401"))
    worker = process("worker", environment={"BRIEFING_SANDBOX_BASE_URL": inbox.url})
    try:
        status = briefing("status", str(number), "--watch", "--json").json
    finally:
        worker.terminate()
        _, said = worker.communicate(timeout=30)
        inbox.stop()
    assert status["state"] == "held"
    assert "BRIEFING_SANDBOX_API_KEY" in status["reason"]
    assert status["waiting"] == status["audience"] == 1
    assert "Traceback" not in said
    assert "@example.org" not in said


def test_a_locked_database(briefing: Briefing, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert briefing("readers", "stats").code == 0
    holder = sqlite3.connect(root / "var" / "briefing.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("pipeline.store.engine.BUSY_TIMEOUT_MS", 200)
    done = briefing("approve", ISSUE)
    holder.close()
    assert done.code == 3
    assert "locked by another program" in done.err


def test_a_file_that_is_no_database(briefing: Briefing, root: Path) -> None:
    (root / "var").mkdir()
    (root / "var" / "briefing.db").write_text("These are notes, not a database. " * 50, "utf-8")
    done = briefing("status")
    assert done.code == 3
    assert "not a sound SQLite database" in done.err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 1200 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(briefing: Briefing, root: Path, small_disk: Path) -> None:
    rendered = briefing("render", ISSUE, "--out", str(small_disk / "out"))
    assert rendered.code == 0
    (small_disk / "filler").write_bytes(bytes(1_000_000))
    refused = briefing("render", "eurasia-briefing/2021-07-21-why-beijing-talks-to-the-taliban", "--out", str(small_disk / "more"))
    assert refused.code == 3
    assert "No space left" in refused.err
    assert not list((small_disk / "more").rglob("*.tmp"))
    database = {"BRIEFING_DATABASE": f"sqlite:///{small_disk}/briefing.db"}
    assert briefing("approve", ISSUE, environment=database).code == 3
    (small_disk / "filler").unlink()
    assert briefing("approve", ISSUE, environment=database).code == 0


def test_output_cut_off_is_no_error(process: Process) -> None:
    one = process("config", "show")
    assert one.stdout is not None
    assert one.stderr is not None
    one.stdout.close()
    with one.stderr:
        assert one.stderr.read() == ""
    assert one.wait(timeout=30) in (0, 1)  # click ends with 1 when it is the one who notices


def test_hooks_need_a_key_to_sign_them(briefing: Briefing) -> None:
    answer = briefing("sandbox", "--hooks", "http://127.0.0.1:8000/hooks/sandbox")
    assert answer.code == 2
    assert "--hooks needs a signing key" in answer.err
    assert "BRIEFING_SANDBOX_SIGNING_KEY" in answer.err


def test_a_signing_key_is_a_secret(briefing: Briefing, root: Path) -> None:
    assert "s3cret" not in briefing("config", "show", environment={"BRIEFING_MAILGUN_SIGNING_KEY": "s3cret"}).out
    file = root / "config" / "newsroom.toml"
    file.write_text(file.read_text("utf-8").replace("[provider.mailgun]\n", '[provider.mailgun]\nsigning_key = "s3cret"\n'), "utf-8")
    answer = briefing("status")
    assert answer.code == 2
    assert "is a secret" in answer.err and "BRIEFING_MAILGUN_SIGNING_KEY" in answer.err


def test_suppressions_are_counted_and_never_listed(briefing: Briefing) -> None:
    assert briefing("suppressions", "list").out == "No address is suppressed.\n"
    briefing("suppressions", "add", "leila@example.org")
    briefing("suppressions", "add", "anton@example.org", "--newsletter", "eurasia-briefing")
    said = briefing("suppressions", "list")
    assert "all newsletters: 1 manual" in said.out
    assert "eurasia-briefing: 1 manual" in said.out
    assert "@" not in said.out
