"""The rate algorithm: what leaves in any window is at most the rate and one burst."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.pace import Rate, Warmup, room_now, taken, wait_for

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_burst_leaves_at_once_and_the_rest_at_the_rate() -> None:
    rate, tat, starts = Rate(count=10, per=SECOND, burst=5), None, list[float]()
    for _ in range(25):
        wait = wait_for(rate, tat, NOW, 1)
        starts.append(wait.total_seconds())
        tat = taken(rate, tat, NOW + wait, 1)
    assert starts[:5] == [0] * 5
    assert starts[5:] == [round(0.1 * n, 1) for n in range(1, 21)]


def test_more_than_a_burst_at_once_is_paid_for_afterwards() -> None:
    rate = Rate(count=100, per=SECOND, burst=100)
    assert wait_for(rate, None, NOW, 1000) == timedelta()
    tat = taken(rate, None, NOW, 1000)
    assert wait_for(rate, tat, NOW, 1000) == timedelta(seconds=10)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 3000)), min_size=1, max_size=60),
    st.integers(1, 100),
    st.integers(1, 50),
)
def test_no_window_holds_more_than_the_rate_and_a_burst(asked: list[tuple[int, int]], count: int, burst: int) -> None:
    rate, tat, now, left = Rate(count=count, per=SECOND, burst=burst), None, NOW, list[tuple[datetime, int]]()
    for amount, later_ms in asked:
        amount = min(amount, burst)
        now += timedelta(milliseconds=later_ms)
        start = now + wait_for(rate, tat, now, amount)
        tat = taken(rate, tat, start, amount)
        left.append((start, amount))
        now = max(now, start)
    for begin, _ in left:
        for seconds in (0.5, 1, 3):
            inside = sum(amount for start, amount in left if begin <= start < begin + seconds * SECOND)
            assert inside <= burst + count * seconds + 1e-3


def test_room_is_what_may_leave_this_moment() -> None:
    rate = Rate(count=60, per=timedelta(minutes=1), burst=60)
    assert room_now(rate, None, NOW) == 60
    tat = taken(rate, None, NOW, 45)
    assert room_now(rate, tat, NOW) == 15
    assert room_now(rate, tat, NOW + 30 * SECOND) == 45
    assert room_now(rate, taken(rate, tat, NOW, 15), NOW) == 0


def test_a_warm_up_climbs_and_ends() -> None:
    warmup = Warmup(start=date(2026, 12, 1), per_day=(50, 200, 1000))
    days = [date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 3), date(2026, 12, 4)]
    assert [warmup.limit_on(day) for day in days] == [0, 50, 1000, None]
