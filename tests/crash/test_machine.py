"""The whole sending as a state machine: Hypothesis looks for an order of events in which somebody is lost, or mailed twice.

Real flow, real SQLite, a set clock; a provider in memory that remembers the truth. Workers die at named points, freeze in the middle of a
delivery and wake later, databases are put back to a backup. ``BRIEFING_MACHINE_SECONDS=600`` runs it that long with chance of its own;
otherwise it runs the same few hundred ways each time.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from jinja2 import Environment
from sqlalchemy import select, true, update

from pipeline import app
from pipeline.core.campaign import BatchState, CampaignState, Tally
from pipeline.core.event import Event, EventType
from pipeline.core.message import Batch, RejectReason
from pipeline.core.schedule import resolve
from pipeline.dispatch.local import LocalDispatcher
from pipeline.errors import BriefingError, Refusal
from pipeline.flow import archive, backups, campaigns, delivery, doubts, drafts, editions, feedback, readers, starter, suppressions
from pipeline.flow.context import Sender
from pipeline.providers.base import Call
from pipeline.providers.sandbox.adapter import DoubtClass
from pipeline.render.environment import open_templates
from pipeline.settings import Sending, Settings
from pipeline.store import batches, fates
from pipeline.store import campaigns as campaign_rows
from pipeline.store import doubts as doubt_rows
from pipeline.store import readers as reader_rows
from pipeline.store.batches import BatchKey
from pipeline.store.engine import reading, transaction
from pipeline.store.tables import batch, exception
from tests.conftest import SetClock
from tests.crash.oracle import Fault, Message, Oracle

NEWSLETTER = "eurasia-briefing"
ISSUES = (f"{NEWSLETTER}/2021-07-21-why-beijing-talks-to-the-taliban", f"{NEWSLETTER}/2021-08-04-the-view-from-the-neighbors")
ZONE = ZoneInfo("Europe/Prague")
SIZE = 3
SECONDS = int(os.environ.get("BRIEFING_MACHINE_SECONDS", "0"))  # read here: tests see no such variable

TAKEN = (BatchState.ACCEPTED, BatchState.PARTLY_ACCEPTED)

STARTS = (datetime(2021, 8, 18, 4, 30, tzinfo=UTC), datetime(2021, 10, 30, 22, 0, tzinfo=UTC), datetime(2022, 3, 26, 22, 0, tzinfo=UTC))
"""An ordinary day, and the evenings before the clocks are set back and forward."""

ANSWERED, CLAIMED, TAKING = "answered", "claimed, composed", "bytes are to leave"
FREEZING = (CLAIMED, "intended", TAKING, "taken", ANSWERED)
DYING = (
    *FREEZING, "planned", "publishing", "listing", "claiming", "recorded", "moving out", "settling", "repeating", "looking", "adding up",
    "applying",
)  # fmt: skip
SPANS = (1, 6, 6, 40, 40, 70, 70, 200, 200, 1000, 3700, 4 * 3600, 30 * 3600, 3 * 86400)


_drafts_read: dict[tuple[str, bytes], Any] = {}
_rendered: dict[tuple[str, str], Any] = {}
_read, _render = drafts.read, drafts.render


def _read_once(desk: Any, reference: str) -> Any:
    """The same draft is the same issue: reading, rendering and templates are not what is tested here."""
    key = reference, (desk.settings.root / "issues" / reference / "index.md").read_bytes()
    if key not in _drafts_read:
        _drafts_read[key] = _read(desk, reference)
    return _drafts_read[key]


def _render_once(desk: Any, draft: Any) -> Any:
    key = str(draft.id), draft.source_digest
    if key not in _rendered:
        _rendered[key] = _render(desk, draft)
    return _rendered[key]


class Killed(BaseException):
    """The process is gone: nothing after this runs."""


@dataclass(slots=True)
class Frozen:
    """A delivery that stands still at a point, in a thread of its own, and finishes when it is thawed."""

    point: str
    sender: Sender
    key: BatchKey
    stands: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)
    reached: bool = False
    ended: bool = False
    error: BaseException | None = None
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Runs until the point, or to the end."""
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.stands.wait(30)

    def _run(self) -> None:
        try:
            delivery.deliver(self.sender, self.key)
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self.stands.set()

    def stand(self) -> None:
        """Called in its own thread."""
        self.reached = True
        self.stands.set()
        assert self.goes_on.wait(60)

    def finish(self) -> None:
        """Lets it go on to its end."""
        self.goes_on.set()
        assert self.thread is not None
        self.thread.join(30)
        self.sender.engine.dispose()
        if self.error is not None and not isinstance(self.error, (BriefingError, RuntimeError)):
            raise self.error


@dataclass(slots=True)
class Known:
    """What the world knows beside the ledger. A backup has a copy of it."""

    ids: dict[str, int] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    barred: set[str] = field(default_factory=set)
    kept: list[Event] = field(default_factory=list)
    #: Events that were received and not applied.
    campaigns: dict[int, str] = field(default_factory=dict)
    #: Issue by campaign.
    plans: dict[int, frozenset[int]] = field(default_factory=dict)
    sums: dict[int, Tally] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)

    def copy(self) -> Known:
        """As it is now."""
        return Known(
            dict(self.ids), set(self.left), set(self.barred), list(self.kept), dict(self.campaigns), dict(self.plans), dict(self.sums),
            set(self.acknowledged),
        )  # fmt: skip


def lay_template(root: Path) -> None:
    """A newsroom with two approved issues, which every way begins with."""
    starter.lay(root)
    station = app.open_station(app.load_settings(root, {}), SetClock(STARTS[0]))
    for issue in ISSUES:
        editions.approve(station, issue, approved_by="test")
    station.close()


class Machine(RuleBasedStateMachine):
    """One newsroom, its workers, its readers, its provider."""

    template: Path
    workplace: Path
    environment: Environment

    def __init__(self) -> None:
        super().__init__()
        self.root = self.workplace / secrets.token_hex(6)
        shutil.copytree(self.template, self.root)
        self.drafts = {issue: self.root / "issues" / issue / "index.md" for issue in ISSUES}
        self.texts = {issue: path.read_text("utf-8") for issue, path in self.drafts.items()}
        self.clock = SetClock(STARTS[0])
        self.known = Known()
        self.archives: list[tuple[Path, Known, int]] = []
        self.frozen: list[Frozen] = []
        self.armed = ""
        self.lost_issues: set[str] = set()
        #: With a campaign that no ledger knows any more.
        self.links: list[tuple[str, int]] = []
        self.paced: list[datetime] = []
        self.quiet_until = STARTS[0]
        self.repeating = False
        self.news_count = self.reader_count = self.lives = 0
        self.patches = [
            self._at(batches, "plan", after="planned"), self._at(archive, "write_issue", before="publishing"),
            self._at(archive, "write_lists", before="listing"), self._at(delivery, "batch_of", before="claiming"),
            self._at(delivery, "_intend", before=CLAIMED, after="intended"),
            self._at(delivery, "record", before=ANSWERED, after="recorded"),
            self._at(batches, "_move_out", after="moving out"), self._at(doubts, "_settle", before="settling"),
            self._at(doubt_rows, "repeat", after="repeating"), self._at(doubts, "_write", before="looking"),
            self._at(campaign_rows, "tally", after="adding up"), self._at(feedback, "_judge_tries", before="applying"),
        ]  # fmt: skip
        self.patches += [self._around_repeat(), self._around_back_off()]
        self.patches += [patch.object(drafts, "read", _read_once), patch.object(drafts, "render", _render_once)]
        self.patches.append(patch.object(app, "open_templates", lambda root: self.environment))
        for one in self.patches:
            one.start()

    # --- what the machine is made of ---------------------------------------------------------------------------------------------

    def _at(self, module: Any, name: str, *, before: str = "", after: str = "") -> Any:
        inner = getattr(module, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            self._reach(before)
            result = inner(*arguments, **options)
            self._reach(after)
            return result

        return patch.object(module, name, watched)

    def _around_repeat(self) -> Any:
        inner = doubts._repeat

        def watched(*arguments: Any) -> Any:
            self.repeating = True
            try:
                return inner(*arguments)
            finally:
                self.repeating = False

        return patch.object(doubts, "_repeat", watched)

    def _around_back_off(self) -> Any:
        inner = delivery.back_off

        def watched(sender: Any, settlement: Any) -> None:
            inner(sender, settlement)
            self.quiet_until = max(self.quiet_until, self.clock() + timedelta(seconds=settlement.after_s))

        return patch.object(delivery, "back_off", watched)

    def _zombie(self) -> Frozen | None:
        return next((one for one in self.frozen if one.thread is threading.current_thread()), None)

    def _reach(self, point: str) -> None:
        if not point:
            return
        zombie = self._zombie()
        if zombie is not None:
            if zombie.point == point and not zombie.reached:
                zombie.stand()
        elif self.armed == point:
            self.armed = ""
            raise Killed(point)

    @initialize(
        kind=st.sampled_from(list(DoubtClass)), rate=st.sampled_from((None, None, 1.0)), count=st.integers(4, 10),
        start=st.sampled_from(STARTS), bad=st.booleans(), settles=st.sampled_from((30, None)), waits=st.booleans(),
    )  # fmt: skip
    def begin(self, kind: DoubtClass, rate: float | None, count: int, start: datetime, bad: bool, settles: int | None, waits: bool) -> None:
        self.clock.now = self.quiet_until = start
        self.rate = rate
        self.oracle = Oracle(kind, self.clock, settles, frozenset(("r1@example.org",) if bad else ()))
        self.oracle.composing, self.oracle.before_taking = self._composing, self._before_taking
        self.oracle.after_taking = lambda call: self._reach("taken")
        self.sender = self._open()
        for _ in range(count):
            self._add_reader()
        self.schedule(ISSUES[0], "send", "40" if waits else "now", None)
        self.tick()

    def _settings(self) -> Settings:
        loaded = app.load_settings(self.root, {})
        sending = Sending(batch_size=SIZE, calls_per_second=self.rate)
        return replace(loaded, newsroom=loaded.newsroom.model_copy(update={"sending": sending}))

    def _open(self) -> Sender:
        opened = app.open_station(self._settings(), self.clock)
        return Sender(
            settings=opened.settings, environment=opened.environment, clock=self.clock, engine=opened.engine, vault=opened.vault,
            leave_key=opened.leave_key, provider=self.oracle, dispatcher=LocalDispatcher(), monotonic=lambda: self.clock().timestamp(),
            sleep=lambda seconds: self.clock.pass_by(seconds=seconds),
        )  # fmt: skip

    def _add_reader(self) -> None:
        address = f"r{self.reader_count}@example.org"
        self.reader_count += 1
        readers.add(self.sender, NEWSLETTER, address, consent="a test")
        with reading(self.sender.engine) as connection:
            id = reader_rows.find(connection, self.sender.vault, address)
        assert id is not None
        self.known.ids[address] = id

    def _alive(self, work: Callable[[], object]) -> None:
        """Does a worker's work; when it is killed in it, another one starts."""
        try:
            work()
        except Killed:
            self._restart()
        except (BriefingError, RuntimeError):
            pass

    def _restart(self) -> None:
        self.sender.engine.dispose()
        self.sender = self._open()
        if not self.frozen:  # the only worker, as on SQLite
            with transaction(self.sender.engine) as connection:
                batches.expire_leases(connection, self.clock())
        delivery.sweep(self.sender)

    def _tick(self) -> None:
        campaigns.publish_pending(self.sender)
        campaigns.launch_due(self.sender)
        campaigns.close_finished(self.sender)

    def _round(self) -> None:
        """What a worker does, one thing after another."""
        self._tick()
        for key in delivery.ready(self.sender, 20):
            with suppress(BriefingError, RuntimeError):
                delivery.deliver(self.sender, key)
        delivery.sweep(self.sender)
        doubts.reconcile(self.sender)
        self._apply()
        self._tick()

    def _apply(self) -> None:
        feedback.apply_pending(self.sender)
        for one in self.known.kept:
            # An unsubscription speaks of the subscription that was there then.
            if one.type is EventType.UNSUBSCRIBED and one.address in self.known.ids:
                self.known.left.add(one.address)
            elif one.type is EventType.COMPLAINED or (one.type is EventType.BOUNCED and one.reason is not RejectReason.SPAM):
                self.known.barred.add(one.address)
        self.known.kept.clear()

    # --- what the provider sees --------------------------------------------------------------------------------------------------

    def _composing(self, composed: Batch) -> None:
        if not self.repeating:
            gone = {one.address for one in composed.recipients} & (self.known.left | self.known.barred)
            assert not gone, f"{gone} left before this was composed"

    def _before_taking(self, call: Call) -> None:
        zombie, now = self._zombie(), self.clock()
        instance, campaign, no, generation = call.batch.key.split("-")
        with reading(self.sender.engine) as connection:
            row = connection.execute(select(batch).where(batch.c.campaign_id == int(campaign), batch.c.no == int(no))).one()
            there = campaign_rows.get(connection, int(campaign))
            assert campaign_rows.instance_name(connection) == instance
        assert there is not None
        intent = (BatchState(row.state), row.generation, row.body_digest)
        assert intent == (BatchState.SUBMITTING, int(generation), call.digest), f"a call without its intent: {intent[:2]}"
        assert there.state is CampaignState.SENDING or _on_its_way(zombie), "a call of a campaign that stands still"
        assert there.published_at is not None
        if not self.repeating:
            assert now - row.intended_at <= timedelta(seconds=0.2), "a call on an old intent"
        assert there.started_at is not None
        late = there.started_at - there.due_at > there.not_after
        assert not late or there.if_late == "send" or there.id in self.known.acknowledged, "late, and nobody said so"
        assert there.started_at >= there.due_at or there.id in self.known.acknowledged, "early"
        if zombie is None:
            assert now >= self.quiet_until, "the provider said later"
            self.paced.append(now)
        self._reach(TAKING)

    # --- what people and time do -------------------------------------------------------------------------------------------------

    @rule(
        issue=st.sampled_from(ISSUES), late=st.sampled_from((None, "send", "send", "drop")),
        when=st.sampled_from(("now", "now", "now", "1", "40", "02:00", "02:30", "02:59", "03:00")), grace=st.sampled_from((None, 30)),
    )  # fmt: skip
    def schedule(self, issue: str, late: str | None, when: str, grace: int | None) -> None:
        if issue in self.lost_issues:
            return
        at: Any = self.clock()
        if ":" in when:
            local = self.clock().astimezone(ZONE).replace(tzinfo=None)
            wall = local.replace(hour=int(when[:2]), minute=int(when[3:]), second=0, microsecond=0)
            at = resolve(wall if wall > local else wall + timedelta(days=1), ZONE.key)
        elif when != "now":
            at += timedelta(minutes=int(when))
        try:
            made = campaigns.schedule(self.sender, issue, at=at, if_late=late, not_after=timedelta(minutes=grace) if grace else None)
        except Refusal:
            return
        self.known.campaigns[made.id] = issue
        if ":" in when:
            assert made.due_at == instant_of(at.wall)

    @rule()
    def tick(self) -> None:
        self._alive(self._tick)

    @rule(count=st.integers(1, 3))
    def deliver(self, count: int) -> None:
        for key in delivery.ready(self.sender, count):
            self._alive(lambda key=key: delivery.deliver(self.sender, key))  # type: ignore[misc]

    @rule()
    def work(self) -> None:
        self._alive(self._round)

    @rule(span=st.sampled_from(SPANS))
    def time_passes(self, span: int) -> None:
        self.clock.pass_by(seconds=span)

    @rule(faults=st.lists(st.sampled_from(list(Fault)), min_size=1, max_size=3))
    def provider_will_misbehave(self, faults: list[Fault]) -> None:
        self.oracle.plans = faults

    @rule(point=st.sampled_from(DYING), fault=st.sampled_from((Fault.NONE, Fault.NONE, Fault.LOST, Fault.HALF_LATER)))
    def a_worker_dies(self, point: str, fault: Fault) -> None:
        self.armed = point
        self.oracle.plans = [fault]
        self._alive(self._round)
        self.armed = ""

    @rule(point=st.sampled_from(FREEZING), span=st.sampled_from((0, 70, 200)))
    def a_worker_dies_in_a_delivery(self, point: str, span: int) -> None:
        keys = delivery.ready(self.sender, 1)
        if keys:
            self.armed, self.oracle.plans = point, []
            self._alive(lambda: delivery.deliver(self.sender, keys[0]))
            self.armed = ""
            self.clock.pass_by(seconds=span)

    @rule()
    def a_worker_is_restarted(self) -> None:
        """Whatever an engine had in its queue is lost; the ledger is the truth."""
        self._restart()

    @precondition(lambda self: len(self.frozen) < 2)
    @rule(point=st.sampled_from(FREEZING), fault=st.sampled_from((Fault.NONE, Fault.NONE, Fault.LATER, Fault.LOST, Fault.HALF_LATER)))
    def a_worker_freezes(self, point: str, fault: Fault) -> None:
        keys = delivery.ready(self.sender, 1)
        if not keys:
            return
        self.oracle.plans = [fault]
        frozen = Frozen(point, self._open(), keys[0])
        self.frozen.append(frozen)
        frozen.start()
        if frozen.ended:
            self._thaw(frozen)

    @precondition(lambda self: self.frozen)
    @rule(which=st.integers(0, 1))
    def a_worker_wakes(self, which: int) -> None:
        self._thaw(self.frozen[which % len(self.frozen)])

    def _thaw(self, frozen: Frozen) -> None:
        try:
            frozen.finish()
        finally:
            self.frozen.remove(frozen)

    @rule()
    def sweep(self) -> None:
        delivery.sweep(self.sender)

    @rule(ask=st.booleans())
    def reconcile(self, ask: bool) -> None:
        def look() -> None:
            for id in self.known.campaigns if ask else (None,):
                doubts.reconcile(self.sender, id)

        self._alive(look)

    @precondition(lambda self: self.known.campaigns)
    @rule(which=st.integers(0, 3), verb=st.sampled_from(("pause", "pause", "resume", "resume", "cancel")))
    def control(self, which: int, verb: str) -> None:
        self._control(sorted(self.known.campaigns)[which % len(self.known.campaigns)], verb)

    def _control(self, id: int, verb: str) -> None:
        if verb == "resume" and self.known.campaigns[id] in self.lost_issues:
            return
        try:
            if verb == "resume":
                before = campaigns.status(self.sender, id).campaign.state
                if before is CampaignState.HELD:
                    self.known.acknowledged.add(id)
                self._alive(lambda: campaigns.resume(self.sender, id))
            else:
                {"pause": campaigns.pause, "cancel": campaigns.cancel}[verb](self.sender, id)
        except Refusal:
            pass

    @rule(issue=st.sampled_from(ISSUES), edit=st.booleans(), approve=st.booleans())
    def a_draft_is_edited_or_mended(self, issue: str, edit: bool, approve: bool) -> None:
        self.drafts[issue].write_text(self.texts[issue] + "\nOne sentence more.\n" * edit, "utf-8")
        if approve:
            self._approve(issue)

    def _approve(self, issue: str) -> None:
        with suppress(Refusal):
            editions.approve(self.sender, issue, approved_by="test")

    @rule()
    def a_reader_comes(self) -> None:
        if self.reader_count < 14:
            self._add_reader()

    @precondition(lambda self: self.known.ids)
    @rule(which=st.integers(0, 13), barred=st.booleans())
    def a_reader_leaves(self, which: int, barred: bool) -> None:
        address = sorted(self.known.ids)[which % len(self.known.ids)]
        if barred:
            suppressions.add(self.sender, address)
            self.known.barred.add(address)
        else:
            readers.leave_by_address(self.sender, NEWSLETTER, address)
            self.known.left.add(address)

    @precondition(lambda self: self.oracle.taken)
    @rule(which=st.integers(0, 40))
    def a_link_is_followed(self, which: int) -> None:
        """Of any mail that ever left, also of one to a reader whom no ledger knows any more."""
        reader = self.oracle.taken[which % len(self.oracle.taken)].reader
        readers.leave_by_token(self.sender, NEWSLETTER, reader.unsubscribe_url.rpartition("/")[2])
        if self.known.ids.get(reader.address) == reader.subscriber_id:
            self.known.left.add(reader.address)

    @precondition(lambda self: self.oracle.taken)
    @rule(
        which=st.integers(0, 40), days=st.integers(0, 2), again=st.booleans(), named=st.booleans(),
        type=st.sampled_from((EventType.DELIVERED, EventType.BOUNCED, EventType.COMPLAINED, EventType.UNSUBSCRIBED, EventType.DEFERRED)),
        reason=st.sampled_from((None, RejectReason.SPAM)),
    )  # fmt: skip
    def news_comes(self, which: int, days: int, again: bool, named: bool, type: EventType, reason: RejectReason | None) -> None:
        mail = self.oracle.taken[which % len(self.oracle.taken)]
        self._news(mail, type, max(mail.at, self.clock() - timedelta(days=days)), reason, named, again)

    @precondition(lambda self: self.oracle.taken)
    @rule()
    def everything_is_delivered(self) -> None:
        for mail in self.oracle.taken:
            self._news(mail, EventType.DELIVERED, self.clock(), None, True, False)

    def _news(self, mail: Message, type: EventType, at: datetime, reason: RejectReason | None, named: bool, again: bool) -> None:
        self.news_count += 1
        one = Event(
            id=f"e{self.news_count}", type=type, at=at, batch_key=mail.key if named else "", receipt=mail.receipt, reason=reason,
            subscriber_id=mail.reader.subscriber_id if named else None, address=mail.reader.address, final=True,
        )  # fmt: skip
        for _ in range(2 if again else 1):
            feedback.receive(self.sender, "oracle", [one])
        self.known.kept.append(one)

    @rule()
    def news_is_applied(self) -> None:
        self._apply()

    @rule()
    def a_backup_is_taken(self) -> None:
        if len(self.archives) < 3:
            place = self.root / f"backup{len(self.archives)}-{self.lives}.tar"
            if not place.exists():
                backups.backup(self.sender.settings, place, self.clock)
                self.archives.append((place, self.known.copy(), len(self.known.campaigns)))

    @precondition(lambda self: self.archives and self.lives < 3)
    @rule(which=st.integers(0, 2), damaged=st.booleans())
    def a_backup_is_put_back(self, which: int, damaged: bool) -> None:
        while self.frozen:  # every worker is stopped before
            self._thaw(self.frozen[0])
        place, known, _ = self.archives[which % len(self.archives)]
        self.clock.pass_by(seconds=2)
        self.lives += 1
        self.sender.engine.dispose()
        settings = self.sender.settings
        done = backups.restore(settings, place, self.clock, provider="oracle", force=True)
        assert done.kept is not None
        lost = Counter(self.known.campaigns.values()) - Counter(known.campaigns.values())
        self.lost_issues |= set(lost)
        # A reader whose address is known again in this life may have another number.
        self.known = known.copy()
        self.known.acknowledged = set()
        self.paced, self.quiet_until = [], self.clock()
        self.sender = self._open()

    @precondition(lambda self: not any(one.point == TAKING for one in self.frozen))
    @rule(drop=st.booleans())
    def a_person_looks(self, drop: bool) -> None:
        """Settles every doubt, truthfully: the provider has told."""
        with reading(self.sender.engine) as connection:
            found = doubt_rows.in_doubt(connection, list(self.known.campaigns))
        for claim in found:
            self._look_at(claim.key, claim.members, drop)

    def _look_at(self, key: BatchKey, members: tuple[int, ...], drop: bool) -> None:
        with reading(self.sender.engine) as connection:
            there = campaign_rows.get(connection, key.campaign_id)
            assert there is not None
            addresses = reader_rows.addresses_of(connection, self.sender.vault, members)
        got = self._got(there.issue_id)
        mailed = [got[addresses[one]] > 0 for one in members]
        verdict = "accepted" if all(mailed) else "drop" if any(mailed) or drop or there.state is CampaignState.CANCELLED else "resend"
        if any(one.key == key and one.point != ANSWERED for one in self.frozen):
            return
        with suppress(Refusal):
            campaigns.resolve(self.sender, key, verdict, by="test")

    def _got(self, issue: str) -> Counter[str]:
        slug = issue.rpartition("/")[2]
        return Counter(one.reader.address for one in self.oracle.taken if f"/{slug}" in one.issue)

    # --- what must always be true ------------------------------------------------------------------------------------------------

    @invariant()
    def nobody_gets_an_issue_twice(self) -> None:
        if hasattr(self, "oracle"):
            twice = {one: count for one, count in self.oracle.mails().items() if count > 1}
            assert not twice, twice

    @invariant()
    def the_ledger_adds_up(self) -> None:
        if not hasattr(self, "sender"):
            return
        with reading(self.sender.engine) as connection:
            for there in campaign_rows.listed(connection):
                if there.audience is None:
                    continue
                tally = campaign_rows.tally(connection, there.id)
                assert tally.total == there.audience
                plan = self._plan(connection, there.id)
                assert self.known.plans.setdefault(there.id, plan) == plan, "the audience is frozen"
                if there.state is CampaignState.SENT:
                    assert self.known.sums.setdefault(there.id, tally) == tally
                    assert tally.waiting == tally.submitting == tally.in_doubt == 0

    def _plan(self, connection: Any, id: int) -> frozenset[int]:
        places = Counter[int]()
        for row in connection.execute(select(batch).where(batch.c.campaign_id == id)):
            places.update(batches.in_it(connection, BatchKey(id, row.no), row.members))
        apart = select(exception.c.subscriber_id).where(exception.c.campaign_id == id, exception.c.kind != "moved")
        places.update(connection.execute(apart).scalars())
        assert all(count == 1 for count in places.values()), f"in more than one place: {places}"
        return frozenset(places)

    @invariant()
    def what_is_said_to_be_sent_was_taken(self) -> None:
        if not hasattr(self, "sender"):
            return
        with reading(self.sender.engine) as connection:
            for there in campaign_rows.listed(connection):
                if there.audience is None:
                    continue
                got, by_id = self._got(there.issue_id), {id: address for address, id in self.known.ids.items()}
                taken = select(batch).where(batch.c.campaign_id == there.id, batch.c.state.in_(TAKEN))
                for row in connection.execute(taken):
                    for id in batches.in_it(connection, BatchKey(there.id, row.no), row.members):
                        assert got[by_id[id]] == 1, f"{by_id[id]} is said to have it"
                refused = select(exception.c.subscriber_id).where(exception.c.campaign_id == there.id, exception.c.kind == "refused")
                for id in connection.execute(refused).scalars():
                    assert got[by_id[id]] == 0, f"{by_id[id]} was refused and has it"

    @invariant()
    def subscriptions_are_what_readers_said(self) -> None:
        if hasattr(self, "sender"):
            with reading(self.sender.engine) as connection:
                there = set(reader_rows.audience(connection, NEWSLETTER))
                wanted = {id for address, id in self.known.ids.items() if address not in self.known.left | self.known.barred}
                late = {self.known.ids[one.address] for one in self.known.kept if one.address in self.known.ids}
                assert there - late == wanted - late

    @invariant()
    def the_rate_is_kept(self) -> None:
        if getattr(self, "rate", None) is None:
            return
        for start in range(len(self.paced)):
            for end in range(start, len(self.paced)):
                room = 1.0 + self.rate * (self.paced[end] - self.paced[start]).total_seconds()  # type: ignore[operator]
                assert end - start + 1 <= room + 1e-6, "more calls than the rate allows"

    # --- the end -----------------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if hasattr(self, "sender"):
                self._come_to_rest()
        finally:
            self.close()

    def close(self) -> None:
        """Lets go of everything, as it is."""
        for frozen in list(self.frozen):
            frozen.goes_on.set()
            if frozen.thread is not None:
                frozen.thread.join(30)
        for one in self.patches:
            one.stop()
        if hasattr(self, "sender"):
            self.sender.engine.dispose()
        shutil.rmtree(self.root, ignore_errors=True)

    def _come_to_rest(self) -> None:
        """Everybody wakes, nothing breaks any more, a person looks at what no machine can know: then every reader is accounted for."""
        self.armed, self.oracle.plans = "", []
        while self.frozen:
            self._thaw(self.frozen[0])
        for issue, path in self.drafts.items():
            path.write_text(self.texts[issue], "utf-8")
            self._approve(issue)
        for turn in range(40):
            self.clock.pass_by(seconds=(1, 30, 200)[turn % 3])
            for id in self.known.campaigns:
                self._control(id, "resume")
            self._round()
            if turn % 6 == 5:
                self.a_person_looks(drop=False)
                if self._rests():
                    break
        self.check_everything()
        with reading(self.sender.engine) as connection:
            for there in campaign_rows.listed(connection):
                if there.issue_id in self.lost_issues or there.state is CampaignState.CANCELLED or there.due_at > self.clock():
                    continue
                if there.audience is None and not wanted_by(self, there):
                    continue
                assert there.state is CampaignState.SENT, f"campaign {there.id} is {there.state}: {there.reason}"
                got, by_id = self._got(there.issue_id), {id: address for address, id in self.known.ids.items()}
                for id in self.known.plans[there.id]:
                    fate, count = fates.of_reader(connection, id)[there.id][1].status, got[by_id[id]]
                    # Whoever left after an earlier life mailed them may have it, and whom a person's word left out; nobody has it twice.
                    assert count in {"sent": (1,), "rejected": (0,), "suppressed": (0, 1), "expired": (0, 1)}[fate]

    def _rests(self) -> bool:
        with reading(self.sender.engine) as connection:
            return all(one.state in (CampaignState.SENT, CampaignState.CANCELLED) for one in campaign_rows.listed(connection))

    def check_everything(self) -> None:
        """Every invariant once more."""
        self.nobody_gets_an_issue_twice()
        self.the_ledger_adds_up()
        self.what_is_said_to_be_sent_was_taken()
        self.subscriptions_are_what_readers_said()
        self.the_rate_is_kept()


def _on_its_way(zombie: Frozen | None) -> bool:
    """Whether a delivery stood still behind its intent: a pause that comes then is too late for it."""
    return zombie is not None and zombie.point == "intended" and zombie.reached


def wanted_by(machine: Machine, there: campaign_rows.Campaign) -> bool:
    """Whether a campaign that has no plan yet could have one: somebody would get it."""
    with reading(machine.sender.engine) as connection:
        reached = batches.reached(connection, [one for one, issue in machine.known.campaigns.items() if issue == there.issue_id])
        return bool(set(reader_rows.audience(connection, NEWSLETTER)) - reached)


def instant_of(wall: datetime) -> datetime:
    """What a wall time means in Prague, found by trying every minute; a time that the clocks jump over is an hour later."""
    begin = wall.replace(tzinfo=UTC) - timedelta(hours=4)
    for minute in range(8 * 60):
        at = begin + timedelta(minutes=minute)
        if at.astimezone(ZONE).replace(tzinfo=None) == wall:
            return at
    return instant_of(wall + timedelta(hours=1))


@pytest.fixture(scope="module")
def places() -> Iterator[Path]:
    """In memory where the machine has such a place: commits are many, and no disk is tested here."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None, prefix="briefing-machine-") as name:
        Machine.workplace = Path(name)
        Machine.template = Machine.workplace / "template"
        lay_template(Machine.template)
        Machine.environment = open_templates(Machine.template)
        yield Path(name)


@pytest.fixture
def begun(places: Path) -> Iterator[Machine]:
    """A campaign that has started, with a provider that can be asked nothing; the test says what happens."""
    machine = Machine()
    try:
        machine.begin(kind=DoubtClass.NEITHER, rate=None, count=9, start=STARTS[0], bad=False, settles=None, waits=False)
        yield machine
    finally:
        machine.close()


def run(examples: int, steps: int = 30, *, fixed: bool = True, shrink: bool = True) -> None:
    """Plays so many ways of so many steps; raises what the first bad one raised."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=fixed, database=None, print_blob=False,
            report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        ),
    )  # fmt: skip


@pytest.mark.timeout(0)
def test_nobody_is_lost_and_nobody_gets_it_twice(places: Path) -> None:
    if not SECONDS:
        run(40)
        return
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        run(100, 50, fixed=False)


class TestNegativeControls:
    """Each takes one safeguard away; the machine must see it, or it proves nothing."""

    def test_without_an_intent(self, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(batches, "intend", lambda *_: True)
        with pytest.raises(AssertionError, match="a call without its intent"):
            run(5, 10, shrink=False)

    def test_with_a_blind_retry(self, begun: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        def blind(connection: Any, now: Any) -> tuple[int, int]:
            back = update(batch).where(batch.c.state.in_((BatchState.CLAIMED, BatchState.SUBMITTING))).values(state=BatchState.PLANNED)
            return connection.execute(back).rowcount, 0

        monkeypatch.setattr(batches, "sweep", blind)
        begun.a_worker_dies(ANSWERED, Fault.NONE)
        begun.nobody_gets_an_issue_twice()
        begun.work()
        with pytest.raises(AssertionError, match=r"example\.org"):
            begun.nobody_gets_an_issue_twice()

    def test_with_an_intent_that_no_pause_stops(self, begun: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(batches, "being_sent", lambda *_: true())
        batches._moving.cache_clear()
        try:
            begun.a_worker_freezes(CLAIMED, Fault.NONE)
            begun.control(0, "pause")
            with pytest.raises(AssertionError, match="stands still"):
                begun.a_worker_wakes(0)
        finally:
            batches._moving.cache_clear()

    def test_with_an_old_intent(self, begun: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delivery, "FROZEN_S", 3600)
        begun.a_worker_freezes("intended", Fault.NONE)
        begun.time_passes(70)
        with pytest.raises(AssertionError, match="old intent"):
            begun.a_worker_wakes(0)


def test_the_ways_of_the_controls_are_sound_with_their_safeguards(begun: Machine) -> None:
    begun.a_worker_dies(ANSWERED, Fault.NONE)
    begun.work()
    begun.check_everything()
    begun.a_worker_freezes("intended", Fault.NONE)
    begun.time_passes(70)
    if begun.frozen:
        begun.a_worker_wakes(0)
    begun.check_everything()
