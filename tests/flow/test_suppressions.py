"""A provider's list of suppressed addresses becomes ours: page by page, resumed where it stopped, with the provider as source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from pipeline.errors import ProviderFault, Refusal
from pipeline.flow import campaigns, readers, suppressions
from pipeline.flow.suppressions import Fetched
from pipeline.providers.base import Capabilities, PlaceForgotten
from pipeline.store.engine import reading
from pipeline.store.tables import bookmark
from tests.flow.conftest import NEWSLETTER, Office

Open = Callable[..., Office]


def counted(office: Office) -> dict[tuple[str, str], int]:
    return {(one.reason, one.source): one.addresses for one in suppressions.listed(office.sender)}


class Interrupted:
    """The office's provider, which fails or forgets at a page."""

    def __init__(self, provider: Any, fails_at: int, error: Exception) -> None:
        self.provider, self.left, self.error = provider, fails_at, error
        self.name: str = provider.name
        self.capabilities: Capabilities = provider.capabilities
        self.places: list[str] = []

    def suppressed(self, place: str) -> Any:
        self.places.append(place)
        self.left -= 1
        if self.left == 0:
            raise self.error
        return self.provider.suppressed(place)


@pytest.fixture
def office(open_office: Open, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office whose sandbox has mailed readers of every fate."""
    monkeypatch.setattr("pipeline.providers.mailgun_lists.PAGE", 7)
    office = open_office()
    for number in range(20):
        for fate in ("bounce", "complain", "unsubscribe"):
            readers.add(office.sender, NEWSLETTER, f"{fate}+r{number}@example.org", consent="a test")
    office.launch(10)
    office.deliver_ready()
    return office


def test_the_list_is_read_and_bars_for_all_newsletters(office: Office) -> None:
    seen: list[int] = []
    found = suppressions.fetch(office.sender, progress=seen.append)
    assert found == Fetched(provider="sandbox", read=60, added=60, pages=12)
    assert seen[-1] == 60 and seen == sorted(seen)
    assert counted(office) == {("bounced", "sandbox"): 20, ("complained", "sandbox"): 20, ("unsubscribed", "sandbox"): 20}
    assert suppressions.fetch(office.sender) == Fetched(provider="sandbox", read=60, present=60, pages=12)
    assert campaigns.audience_size(office.sender, NEWSLETTER) == 10


def test_what_weighs_more_stays(office: Office) -> None:
    suppressions.add(office.sender, "unsubscribe+r1@example.org")
    suppressions.add(office.sender, "bounce+r1@example.org")
    assert suppressions.fetch(office.sender).present == 2
    assert counted(office)["manual", ""] == 1
    assert counted(office)["bounced", "sandbox"] == 20


def test_an_interrupted_reading_goes_on_where_it_was(office: Office) -> None:
    fails = Interrupted(office.sender.provider, 5, ProviderFault("away"))
    with pytest.raises(ProviderFault):
        suppressions.fetch(replace(office.sender, provider=fails))  # type: ignore[arg-type]
    assert sum(counted(office).values()) == 7 * 3 - 1, "three pages, the third of them with six entries"
    goes_on = Interrupted(office.sender.provider, 0, ProviderFault(""))
    found = suppressions.fetch(replace(office.sender, provider=goes_on))  # type: ignore[arg-type]
    assert goes_on.places[0] == fails.places[-1]
    assert found.resumed and found.added == 40
    with reading(office.sender.engine) as connection:
        assert connection.execute(select(bookmark)).all() == [], "a finished reading starts from the beginning the next time"


def test_a_place_that_the_provider_forgot_is_the_beginning(office: Office) -> None:
    with pytest.raises(ProviderFault):
        suppressions.fetch(replace(office.sender, provider=Interrupted(office.sender.provider, 5, ProviderFault("away"))))  # type: ignore[arg-type]
    forgets = Interrupted(office.sender.provider, 1, PlaceForgotten())
    found = suppressions.fetch(replace(office.sender, provider=forgets))  # type: ignore[arg-type]
    assert forgets.places[1] == ""
    assert (found.resumed, found.read, found.added) == (False, 60, 40)


def test_who_has_no_list_says_so(office: Office) -> None:
    able = replace(office.sender.provider.capabilities, suppressions=False)
    none = Interrupted(office.sender.provider, 0, ProviderFault(""))
    none.name, none.capabilities = "smtp", able
    with pytest.raises(Refusal, match="smtp has no list"):
        suppressions.fetch(replace(office.sender, provider=none))  # type: ignore[arg-type]
