"""The whole schema on one page. Migrations follow it; tests hold the two together.

Addresses stand in one column of one table (``subscriber.address``), and may stand in a bookmark; both are read and written by
``store.addresses`` only.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)  # fmt: skip

from pipeline.core.campaign import BatchState, CampaignState
from pipeline.core.event import EventType
from pipeline.core.occurrence import OccurrenceState
from pipeline.store.types import UTCDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rows up only for a column that is exactly INTEGER PRIMARY KEY.
_Id = BigInteger().with_variant(Integer, "sqlite")


def _one_of(column: str, values: type[CampaignState] | type[BatchState] | type[EventType] | type[OccurrenceState]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


# --- who we are ----------------------------------------------------------------------------------------------------------

#: One row: which life of this database we are in. A restored backup gets a new name, so that no key is ever used twice.
instance = Table(
    "instance",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(16), nullable=False),
    Column("since", UTCDateTime, nullable=False),
    Column("restored_from", UTCDateTime),
    #: When the backup was taken that this life began with; null for the first life.
    Column("last_reader", _Id, nullable=False, server_default=text("0")),
    #: The highest number that a reader was given in this life or can have been given in an earlier one.
    CheckConstraint("id = 1", name="one_row"),
)

# --- what is sent --------------------------------------------------------------------------------------------------------

#: An immutable rendering. A later approval of the same issue is another row; the newest one counts.
edition = Table(
    "edition",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("issue_id", String(200), nullable=False),
    Column("newsletter", String(80), nullable=False),
    Column("digest", String(64), nullable=False),
    #: SHA-256 of the draft and its pictures as approved: a change afterwards voids the approval.
    Column("source_digest", String(64), nullable=False),
    Column("content", Text, nullable=False),
    #: The Edition as canonical JSON.
    Column("approved_by", String(80), nullable=False),
    Column("approved_at", UTCDateTime, nullable=False),
    Index("ix_edition_issue", "issue_id", "id"),
)

#: The files that editions show, pictures and style sheets, by content: the name carries the hash.
asset = Table(
    "asset",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("media_type", String(40), nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# --- who gets it ---------------------------------------------------------------------------------------------------------

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("address", LargeBinary, nullable=False),
    #: Keyed hash of the normalised address, for look-ups without opening any.
    Column("address_index", LargeBinary, nullable=False, unique=True),
    Column("created_on", Date, nullable=False),
)

subscription = Table(
    "subscription",
    metadata,
    Column("subscriber_id", _Id, ForeignKey("subscriber.id"), nullable=False),
    Column("newsletter", String(80), nullable=False),
    Column("state", String(16), nullable=False),
    Column("since", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("newsletter", "subscriber_id"),
    CheckConstraint("state IN ('pending', 'confirmed', 'unsubscribed')", name="state"),
)

#: Append-only evidence of what a reader agreed to or ended. No network address, no browser.
consent = Table(
    "consent",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("subscriber_id", _Id, ForeignKey("subscriber.id"), nullable=False, index=True),
    Column("newsletter", String(80), nullable=False),
    Column("act", String(16), nullable=False),
    #: ``imported``, ``confirmed``, ``unsubscribed``.
    Column("evidence", Text, nullable=False),
    #: For an import, the words given with ``--consent``; otherwise the method.
    Column("on_day", Date, nullable=False),
)

#: An address that must not be mailed, by its index alone: it survives the reader's own row.
suppression = Table(
    "suppression",
    metadata,
    Column("address_index", LargeBinary, nullable=False),
    Column("newsletter", String(80), nullable=False, server_default=text("'*'")),
    #: ``*`` for all newsletters.
    Column("reason", String(16), nullable=False),
    Column("source", String(40), nullable=False, server_default=text("''")),
    #: Who said so: a provider's name, or empty for a person.
    Column("since", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("address_index", "newsletter"),
)

#: How far an import of a file (by its SHA-256) has come; moved in the same transaction as the rows.
import_progress = Table(
    "import_progress",
    metadata,
    Column("file_digest", String(64), nullable=False),
    Column("newsletter", String(80), nullable=False),
    Column("rows_done", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("present", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("file_digest", "newsletter"),
)

# --- the sending and its ledger ------------------------------------------------------------------------------------------

campaign = Table(
    "campaign",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("edition_id", _Id, ForeignKey("edition.id"), nullable=False),
    Column("issue_id", String(200), nullable=False),
    Column("newsletter", String(80), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),
    #: Why it is held, in words for an editor.
    Column("due_at", UTCDateTime, nullable=False),
    Column("wall_time", String(32), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("tzdata", String(16), nullable=False),
    Column("not_after_s", Integer, nullable=False),
    Column("if_late", String(8), nullable=False),
    Column("audience", Integer),
    #: Readers in the plan; null until it is made.
    Column("batches", Integer),
    #: Its batches, numbered from 1 in the order of their readers; who moves out of one goes into one with a higher number.
    Column("created_at", UTCDateTime, nullable=False),
    Column("started_at", UTCDateTime),
    Column("finished_at", UTCDateTime),
    Column("published_at", UTCDateTime),
    #: When the archive got the edition.
    Column("earlier", Text, nullable=False, server_default=text("''")),
    #: Names under which its mail may have left in earlier lives of the database, each ``<instance>-<campaign>``, with blanks between.
    Column("later_since", UTCDateTime),
    Column("laters", Integer, nullable=False, server_default=text("0")),
    #: Since when the provider has said nothing but "later", and how often.
    Column("fold", Integer, nullable=False, server_default=text("0")),
    #: 1: the second of two instants is meant, of a wall time that exists twice.
    Column("over_s", Integer, nullable=False, server_default=text("0")),
    #: Over how many seconds its batches are spread; 0: as fast as they may leave.
    Column("stale_at", UTCDateTime),
    #: Moved ahead each minute by the worker that tends it: once this passes, nothing of it leaves before an editor resumes it.
    CheckConstraint(_one_of("state", CampaignState), name="state"),
)
# One issue goes out once: a second campaign for it needs the first one cancelled.
Index(
    "uq_campaign_issue",
    campaign.c.issue_id,
    unique=True,
    sqlite_where=text("state <> 'cancelled'"),
    postgresql_where=text("state <> 'cancelled'"),
)
Index("ix_campaign_due", campaign.c.due_at, sqlite_where=text("state = 'scheduled'"), postgresql_where=text("state = 'scheduled'"))

#: A coming out of a newsletter by its cadence, one row a local day. Made ahead and never deleted, so none vanishes or runs twice.
occurrence = Table(
    "occurrence",
    metadata,
    Column("newsletter", String(80), nullable=False),
    Column("day", Date, nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_at", UTCDateTime, nullable=False),
    Column("at", String(5), nullable=False),
    #: Wall time as the cadence has it.
    Column("time_zone", String(64), nullable=False),
    Column("tzdata", String(16), nullable=False),
    Column("fit", String(8), nullable=False),
    #: ``core.schedule.Fit`` of the wall time in its zone.
    Column("note", Text, nullable=False, server_default=text("''")),
    #: That it was moved, and why, in words for an editor.
    Column("campaign_id", _Id, ForeignKey("campaign.id"), unique=True),
    PrimaryKeyConstraint("newsletter", "day"),
    CheckConstraint(_one_of("state", OccurrenceState), name="state"),
)

#: One row a provider call. Changed only by guarded statements; ``fence`` grows with every claim, so a worker that was
#: taken for dead cannot move what another one holds.
batch = Table(
    "batch",
    metadata,
    Column("campaign_id", _Id, ForeignKey("campaign.id"), nullable=False),
    Column("no", Integer, nullable=False),
    Column("first_id", _Id, nullable=False),
    Column("last_id", _Id, nullable=False),
    Column("size", Integer, nullable=False),
    Column("members", LargeBinary, nullable=False),
    #: Ascending subscriber ids, packed by store.members.
    Column("state", String(16), nullable=False),
    Column("generation", Integer, nullable=False, server_default=text("1")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("intended_at", UTCDateTime),
    #: When the first call of this generation was about to leave: the clock of an idempotency key starts here.
    Column("body_digest", String(64)),
    #: SHA-256 of what that call carried.
    Column("looks", Integer, nullable=False, server_default=text("0")),
    #: How many times in a row the provider's search was believed when it did not show the batch.
    Column("fence", Integer, nullable=False, server_default=text("0")),
    Column("lease_until", UTCDateTime),
    Column("holder", String(16)),
    #: The worker that has it in hand, where several work; it says nothing once the batch is out of hand.
    Column("not_before", UTCDateTime, nullable=False),
    Column("suppressed", Integer, nullable=False, server_default=text("0")),
    Column("refused", Integer, nullable=False, server_default=text("0")),
    Column("moved", Integer, nullable=False, server_default=text("0")),
    #: Members with a row in ``exception``; the others share the batch's fate.
    Column("provider", String(40)),
    Column("accepted_at", UTCDateTime),
    Column("detail", Text, nullable=False, server_default=text("''")),
    #: What the provider last said, without addresses.
    Column("restored", Boolean, nullable=False, server_default=false()),
    #: In doubt because of a restore: its readers may have been mailed under any name of ``campaign.earlier``, in any batch.
    PrimaryKeyConstraint("campaign_id", "no"),
    CheckConstraint(_one_of("state", BatchState), name="state"),
    CheckConstraint("suppressed + refused + moved <= size", name="sums"),
)
Index("ix_batch_members", batch.c.campaign_id, batch.c.first_id)
_OPEN = "state IN ('planned', 'claimed', 'submitting')"
_DOUBT = "state = 'in_doubt'"
Index("ix_batch_doubt", batch.c.state, batch.c.not_before, sqlite_where=text(_DOUBT), postgresql_where=text(_DOUBT))
Index("ix_batch_open", batch.c.state, batch.c.not_before, sqlite_where=text(_OPEN), postgresql_where=text(_OPEN))

#: Workers on PostgreSQL, which beat every second by the database's clock. On SQLite there is one, and a file's lock says that it lives.
worker = Table(
    "worker",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("since", UTCDateTime, nullable=False),
    Column("beat", UTCDateTime, nullable=False),
)

#: One row: the worker that launches, publishes, sweeps and closes, and until when nobody else may. ``epoch`` grows with every change.
leader = Table(
    "leader",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("holder", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

#: How far each rate has come: ``<provider>/calls``, ``<provider>/readers``, ``<provider>/domain/<name>``; and what a day has
#: seen: ``<provider>/day/<date>``.
pace = Table(
    "pace",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("tat", UTCDateTime),
    Column("used", Integer, nullable=False, server_default=text("0")),
)

#: The provider's ids for an accepted batch: one line if it gives one for all, else one a member in order. Insert-only.
receipt = Table(
    "receipt",
    metadata,
    Column("campaign_id", _Id, nullable=False),
    Column("batch_no", Integer, nullable=False),
    Column("ids", LargeBinary, nullable=False),
    PrimaryKeyConstraint("campaign_id", "batch_no"),
    ForeignKeyConstraint(["campaign_id", "batch_no"], ["batch.campaign_id", "batch.no"]),
)

#: The readers of a campaign who do not share their batch's fate.
exception = Table(
    "exception",
    metadata,
    Column("campaign_id", _Id, nullable=False),
    Column("subscriber_id", _Id, nullable=False),
    Column("batch_no", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("reason", String(16), nullable=False, server_default=text("''")),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Column("moved_to", Integer),
    Column("at", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("campaign_id", "subscriber_id", "batch_no"),
    ForeignKeyConstraint(["campaign_id", "batch_no"], ["batch.campaign_id", "batch.no"]),
    CheckConstraint("kind IN ('suppressed', 'refused', 'moved')", name="kind"),
)

# --- what providers report -----------------------------------------------------------------------------------------------

#: News from providers, each once by the provider's own id. No body and no address is kept: decision 19.
event = Table(
    "event",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("provider", String(40), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("type", String(16), nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("received_at", UTCDateTime, nullable=False),
    #: Ours, as the event says until it is applied, and checked from then on. No foreign keys: an event may say anything.
    Column("campaign_id", _Id),
    Column("batch_no", Integer),
    Column("subscriber_id", _Id),
    Column("address_index", LargeBinary),
    #: To find the reader by; emptied when the event is applied.
    Column("receipt", Text, nullable=False, server_default=text("''")),
    Column("reason", String(16), nullable=False, server_default=text("''")),
    Column("final", Boolean, nullable=False),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Column("applied_at", UTCDateTime),
    UniqueConstraint("provider", "event_id"),
    CheckConstraint(_one_of("type", EventType), name="type"),
)
_WAITING = "applied_at IS NULL"
Index("ix_event_waiting", event.c.id, sqlite_where=text(_WAITING), postgresql_where=text(_WAITING))
Index("ix_event_message", event.c.campaign_id, event.c.subscriber_id, event.c.type)
Index("ix_event_reader", event.c.subscriber_id, event.c.type)

#: What providers that sign no body have signed, kept for as long as it counts as fresh: it is good for one event.
nonce = Table(
    "nonce",
    metadata,
    Column("provider", String(40), nullable=False),
    Column("value", String(200), nullable=False),
    Column("received_at", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("provider", "value"),
)

#: Up to when a provider's events have been asked for.
poll = Table(
    "poll",
    metadata,
    Column("provider", String(40), primary_key=True),
    Column("done_until", UTCDateTime, nullable=False),
)

#: How far what is read piece by piece has been read: the pages of a provider's list of suppressed addresses, a mailbox of bounces.
bookmark = Table(
    "bookmark",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("place", LargeBinary, nullable=False),
    #: What the other side calls the next piece, closed by ``store.addresses``: Mailgun names its pages by an address.
    Column("moved_at", UTCDateTime, nullable=False),
)

# --- what the newsroom's people are told ---------------------------------------------------------------------------------

#: Something that a person must know of. While it lasts there is one row for it (``key``), so it is mailed once.
alarm = Table(
    "alarm",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("key", String(300), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("raised_at", UTCDateTime, nullable=False),
    Column("over_at", UTCDateTime),
    #: When what it says no longer held.
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("next_try_at", UTCDateTime),
    #: Null: no further mail is tried.
    Column("told", Text, nullable=False, server_default=text("''")),
    #: Keyed indexes of the people whose mail was taken, in hexadecimal, with blanks between.
    Column("said", Text, nullable=False, server_default=text("''")),
    #: What the provider last said.
)
_LASTS = "over_at IS NULL"
Index("uq_alarm_open", alarm.c.key, unique=True, sqlite_where=text(_LASTS), postgresql_where=text(_LASTS))

#: Whether a campaign's mail has reached a seed mailbox of the newsroom.
arrival = Table(
    "arrival",
    metadata,
    Column("campaign_id", _Id, ForeignKey("campaign.id"), nullable=False),
    Column("seed", String(80), nullable=False),
    Column("looked_at", UTCDateTime, nullable=False),
    Column("seen_at", UTCDateTime),
    Column("said", Text, nullable=False, server_default=text("''")),
    #: Why the last look could not be made.
    PrimaryKeyConstraint("campaign_id", "seed"),
)
