"""A text that readers have already is known again, though its draft is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pipeline import app
from pipeline.core.issue import IssueId
from pipeline.flow import campaigns, rendering
from pipeline.flow.sent import paragraphs_sent
from pipeline.store import editions
from pipeline.store.engine import reading
from tests.flow.conftest import ISSUE, NEWSLETTER, Office

NEW = IssueId(NEWSLETTER, date(2021, 9, 1), "once-more")


def test_a_text_that_was_sent_is_known_again(open_office: Callable[..., Office]) -> None:
    office = open_office()
    settings = office.sender.settings
    assert paragraphs_sent(settings, NEW) == {}
    office.launch(3)
    assert list(paragraphs_sent(settings, NEW)) == [ISSUE]
    assert paragraphs_sent(settings, IssueId.parse(ISSUE)) == {}
    issues = settings.root / "issues"
    (issues / ISSUE).rename(issues / str(NEW))
    problems = rendering.examine(app.open_desk(settings), str(NEW))[1]
    (whole,) = [one for one in problems if one.rule == "issue-sent"]
    assert whole.line == 2 and f"paragraphs were sent in {ISSUE}" in whole.message
    repeated = [one for one in problems if one.rule == "paragraph-repeated"]
    assert repeated and all(f"was sent already in {ISSUE}" in one.message for one in repeated)


def test_what_waits_or_was_cancelled_was_not_sent(open_office: Callable[..., Office]) -> None:
    office = open_office()
    office.subscribe(1)
    id = office.launch(1)
    with reading(office.sender.engine) as connection:
        assert [issue for issue, _ in editions.sent(connection, NEWSLETTER, 5)] == [ISSUE]
        assert editions.sent(connection, "another", 5) == []
    campaigns.cancel(office.sender, id)
    with reading(office.sender.engine) as connection:
        assert editions.sent(connection, NEWSLETTER, 5) == []
