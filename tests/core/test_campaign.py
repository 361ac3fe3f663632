"""The state tables are total, and say the things the product promises."""

from __future__ import annotations

from itertools import product

import pytest

from pipeline.core.campaign import (
    BATCH,
    CAMPAIGN,
    OPEN,
    BatchCause,
    BatchState,
    CampaignCause,
    CampaignState,
    Impossible,
    Tally,
    batch_sources,
    sources,
)


@pytest.mark.parametrize(("state", "cause"), list(product(CampaignState, CampaignCause)))
def test_every_campaign_cell_is_written(state: CampaignState, cause: CampaignCause) -> None:
    to = CAMPAIGN[(state, cause)]
    assert isinstance(to, CampaignState) or (isinstance(to, Impossible) and len(to) > 8)


@pytest.mark.parametrize(("state", "cause"), list(product(BatchState, BatchCause)))
def test_every_batch_cell_is_written(state: BatchState, cause: BatchCause) -> None:
    to = BATCH[(state, cause)]
    assert isinstance(to, BatchState) or (isinstance(to, Impossible) and len(to) > 8)


def test_the_tables_hold_nothing_else() -> None:
    assert len(CAMPAIGN) == len(CampaignState) * len(CampaignCause)
    assert len(BATCH) == len(BatchState) * len(BatchCause)


def test_each_cause_leads_to_one_state() -> None:
    """store.batches.move takes the target from the cause alone."""
    for cause in BatchCause:
        assert len({to for (_, c), to in BATCH.items() if c is cause and not isinstance(to, Impossible)}) == 1, cause


def test_sent_and_cancelled_campaigns_are_final() -> None:
    for state, cause in product((CampaignState.SENT, CampaignState.CANCELLED), CampaignCause):
        assert isinstance(CAMPAIGN[(state, cause)], Impossible)


def test_only_a_claimed_batch_may_leave() -> None:
    assert batch_sources(BatchCause.INTEND) == (BatchState.CLAIMED,)


def test_a_batch_in_doubt_is_never_claimed_and_cancelling_does_not_hide_it() -> None:
    assert isinstance(BATCH[(BatchState.IN_DOUBT, BatchCause.CLAIM)], Impossible)
    assert isinstance(BATCH[(BatchState.IN_DOUBT, BatchCause.CANCEL)], Impossible)
    assert BatchState.IN_DOUBT in OPEN


def test_settled_batches_never_move_again() -> None:
    for state in (BatchState.ACCEPTED, BatchState.PARTLY_ACCEPTED, BatchState.REFUSED, BatchState.CANCELLED):
        assert all(isinstance(BATCH[(state, cause)], Impossible) for cause in BatchCause)


def test_sources_are_the_states_in_which_a_cause_acts() -> None:
    assert set(sources(CampaignCause.PAUSE)) == {CampaignState.SENDING}
    assert set(sources(CampaignCause.LAUNCH)) == {CampaignState.SCHEDULED}


def test_a_tally_adds_up() -> None:
    tally = Tally(waiting=1, submitting=2, sent=3, refused=4, suppressed=5, in_doubt=6, expired=7)
    assert tally.total == 28
    assert tally.done == 19
