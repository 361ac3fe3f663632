"""What a monitoring system asks for, in Prometheus' text format 0.0.4 (prometheus.io, Exposition formats)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from pipeline import __version__
from pipeline.errors import BriefingError
from pipeline.flow.context import Sender
from pipeline.providers.call_times import BOUNDS_S
from pipeline.store import figures
from pipeline.store.engine import reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(sender: Sender) -> str:
    """All metrics. When the database cannot be read, the answer says so (``briefing_database_up 0``) and leaves out what it holds."""
    now, found = sender.clock(), None
    try:
        with reading(sender.engine) as connection:
            found = figures.figures(connection, now)
    except BriefingError:
        pass  # said below, and logged by the worker's next tick
    lines = [*_metric("briefing_info", "gauge", "The program.", [(f'version="{__version__}"', 1)])]
    lines += _metric("briefing_database_up", "gauge", "Whether the database could be read.", [("", int(found is not None))])
    if found is not None:
        lines += _ledger(found)
        waiting = (now - found.oldest_ready).total_seconds() if found.oldest_ready else 0.0
        lines += _metric("briefing_oldest_ready_batch_seconds", "gauge", "How long the oldest ready batch has waited.", [("", waiting)])
    counts, total = sender.call_times.read()
    lines += _histogram("briefing_provider_call_seconds", "Calls of batches to the provider by this process.", counts, total)
    return "\n".join(lines) + "\n"


def _ledger(found: figures.Figures) -> Iterator[str]:
    yield from _metric("briefing_campaigns", "gauge", "Campaigns by state.", [(f'state="{s}"', n) for s, n in found.campaigns.items()])
    yield from _metric("briefing_batches", "gauge", "Batches by state.", [(f'state="{s}"', n) for s, n in found.batches.items()])
    yield from _metric("briefing_readers_in_doubt", "gauge", "Readers of whom we cannot tell.", [("", found.in_doubt)])
    outcomes = (("accepted", found.accepted), ("refused", found.refused), ("suppressed", found.suppressed))
    yield from _metric(
        "briefing_messages_total", "counter", "Messages by outcome, read off the ledger.", [(f'outcome="{o}"', n) for o, n in outcomes]
    )


def _metric(name: str, kind: str, text: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"


def _histogram(name: str, text: str, counts: tuple[int, ...], total: float) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} histogram"
    bounds = (*(f"{bound:g}" for bound in BOUNDS_S), "+Inf")
    for bound, count in zip(bounds, accumulate(counts), strict=True):
        yield f'{name}_bucket{{le="{bound}"}} {count}'
    yield f"{name}_sum {total}"
    yield f"{name}_count {sum(counts)}"
