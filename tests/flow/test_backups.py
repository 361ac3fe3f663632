"""A backup is one moment of the database; a restore sends nobody anything twice, whatever happened between the two."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sqlite3
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from pipeline import app
from pipeline.core.campaign import CampaignState
from pipeline.errors import BriefingError, ConfigurationError, Refusal
from pipeline.files import only_one
from pipeline.flow import backups, campaigns, delivery, doubts, editions
from pipeline.flow.backups import Restored
from pipeline.flow.doubts import Reconciled
from pipeline.store import campaigns as campaign_rows
from pipeline.store import copies, schema
from pipeline.store.batches import BatchKey
from pipeline.store.engine import open_engine, reading, transaction
from tests.conftest import SetClock
from tests.flow.conftest import ISSUE, Office

Open = Callable[..., Office]
READERS = 2500  # three batches


def take(office: Office, name: str = "night.tar") -> Path:
    """A backup beside the newsroom."""
    path = office.sender.settings.root.parent / name
    backups.backup(office.sender.settings, path, office.clock)
    return path


def put_back(office: Office, archive: Path, **environment: str) -> tuple[Office, Restored]:
    """Restores over the database and opens it again."""
    office.sender.close()
    settings = office.sender.settings
    done = backups.restore(settings, archive, office.clock, provider="sandbox", force=True)
    return replace(office, sender=app.open_sender(settings, office.clock)), done


def once_each(office: Office, count: int = READERS) -> bool:
    """Whether each of so many addresses got one mail, over all lives of the database."""
    stats = office.inbox.store.stats()
    return (stats.mails, stats.recipients) == (count, count)


def settle(office: Office, rounds: int = 4) -> None:
    """What a worker does, with time passing."""
    for _ in range(rounds):
        office.clock.pass_by(minutes=2)
        delivery.sweep(office.sender)
        doubts.reconcile(office.sender)
        office.deliver_ready()
        campaigns.close_finished(office.sender)


@pytest.fixture
def closing() -> Iterator[Callable[[Office], Office]]:
    """Closes the senders that a test opened."""
    opened: list[Office] = []

    def keep(office: Office) -> Office:
        opened.append(office)
        return office

    yield keep
    for one in opened:
        one.sender.close()


class TestNobodyGetsItTwice:
    """The backup was taken while a campaign was being sent."""

    def test_what_was_mailed_since_is_found_by_the_old_names(self, open_office: Open, closing: Callable[[Office], Office]) -> None:
        office = open_office()
        id = office.launch(READERS)
        delivery.deliver(office.sender, delivery.ready(office.sender, 1)[0])
        archive = take(office)
        office.clock.pass_by(minutes=1)
        office.deliver_ready()
        assert once_each(office)
        office, done = put_back(office, archive)
        closing(office)
        assert (done.held, done.batches_in_doubt) == ((id,), 2)
        status = office.status(id)
        assert (status.campaign.state, status.tally.in_doubt, status.tally.sent) == (CampaignState.HELD, 1500, 1000)
        assert status.troubled[0].provider_key == f"{done.before}-{id}-2-1"
        assert office.deliver_ready() == 0
        settle(office)
        status = office.status(id)
        assert (status.tally.sent, status.campaign.state) == (READERS, CampaignState.SENT)
        assert once_each(office)

    def test_what_was_not_mailed_leaves_after_resume_and_not_before(self, open_office: Open, closing: Callable[[Office], Office]) -> None:
        office = open_office()
        id = office.launch(READERS)
        archive = take(office)
        delivery.deliver(office.sender, delivery.ready(office.sender, 1)[0])
        office, _ = put_back(office, archive)
        closing(office)
        settle(office)
        assert (office.status(id).tally.sent, office.status(id).tally.waiting) == (1000, 1500)
        assert office.inbox.store.stats().mails == 1000, "a held campaign sends nothing"
        campaigns.resume(office.sender, id)
        settle(office)
        assert office.status(id).campaign.state is CampaignState.SENT
        assert once_each(office)

    def test_nobody_is_believed_absent_at_once(self, open_office: Open, closing: Callable[[Office], Office]) -> None:
        office = open_office("lag=90s", BRIEFING_SANDBOX_SETTLES="120", BRIEFING_SANDBOX_TIMEOUT="5")
        id = office.launch(1000)
        archive = take(office)
        office.deliver_ready()
        office, _ = put_back(office, archive)
        closing(office)
        campaigns.resume(office.sender, id)
        office.clock.pass_by(seconds=80)
        assert doubts.reconcile(office.sender) == Reconciled(waiting=1)
        assert office.deliver_ready() == 0
        settle(office)
        assert once_each(office, 1000)

    def test_a_reader_who_was_mailed_under_a_later_generation_is_found(
        self, open_office: Open, closing: Callable[[Office], Office]
    ) -> None:
        """The key in the backup is not the one that mailed them: only a search of the whole campaign tells."""
        office = open_office("drop-before=1x", BRIEFING_SANDBOX_TIMEOUT="5")
        id = office.launch(1000)
        office.deliver_ready()
        assert office.status(id).tally.in_doubt == 1000
        archive = take(office)
        campaigns.resolve(office.sender, BatchKey(id, 1), "resend", by="test")
        office.deliver_ready()
        office, _ = put_back(office, archive)
        closing(office)
        campaigns.resume(office.sender, id)
        settle(office)
        assert office.status(id).tally.sent == 1000
        assert once_each(office, 1000)

    @pytest.mark.parametrize("kind", ["neither", "key"])
    def test_where_the_provider_cannot_be_asked_a_person_decides(
        self, open_office: Open, closing: Callable[[Office], Office], kind: str
    ) -> None:
        office = open_office(BRIEFING_SANDBOX_CLASS=kind)
        id = office.launch(READERS)
        delivery.deliver(office.sender, delivery.ready(office.sender, 1)[0])
        archive = take(office)
        delivery.deliver(office.sender, delivery.ready(office.sender, 1)[0])
        office, _ = put_back(office, archive)
        closing(office)
        campaigns.resume(office.sender, id)
        settle(office)
        status = office.status(id)
        assert status.tally.in_doubt == 1500
        assert "cannot be asked" in status.troubled[0].detail
        assert office.inbox.store.stats().mails == 2000
        campaigns.resolve(office.sender, BatchKey(id, 2), "accepted", by="test")
        campaigns.resolve(office.sender, BatchKey(id, 3), "resend", by="test")
        settle(office)
        assert office.status(id).campaign.state is CampaignState.SENT
        assert once_each(office)

    def test_a_campaign_that_started_since_is_planned_in_doubt(self, open_office: Open, closing: Callable[[Office], Office]) -> None:
        office = open_office()
        office.subscribe(READERS)
        editions.approve(office.sender, ISSUE, approved_by="test")
        id = campaigns.schedule(office.sender, ISSUE, at=office.clock() + timedelta(minutes=5)).id
        archive = take(office)
        office.clock.pass_by(minutes=5)
        campaigns.launch_due(office.sender)
        office.deliver_ready()
        assert once_each(office)
        office, done = put_back(office, archive)
        closing(office)
        assert (done.held, done.unknown) == ((id,), (ISSUE,))
        campaigns.launch_due(office.sender)
        assert office.status(id).campaign.state is CampaignState.HELD
        campaigns.resume(office.sender, id)
        assert office.status(id).tally.in_doubt == READERS
        settle(office)
        assert office.status(id).campaign.state is CampaignState.SENT
        assert once_each(office)

    def test_cancelling_it_and_scheduling_the_issue_anew_is_no_way_around(
        self, open_office: Open, closing: Callable[[Office], Office]
    ) -> None:
        office = open_office()
        office.subscribe(READERS)
        editions.approve(office.sender, ISSUE, approved_by="test")
        id = campaigns.schedule(office.sender, ISSUE, at=office.clock()).id
        archive = take(office)
        campaigns.launch_due(office.sender)
        office.deliver_ready()
        office, _ = put_back(office, archive)
        closing(office)
        campaigns.cancel(office.sender, id)
        campaigns.schedule(office.sender, ISSUE, at=office.clock())
        campaigns.launch_due(office.sender)
        settle(office)
        assert once_each(office)

    def test_a_send_still_to_come_is_held_and_not_in_doubt(self, open_office: Open, closing: Callable[[Office], Office]) -> None:
        office = open_office(BRIEFING_SANDBOX_CLASS="neither")
        office.subscribe(10)
        editions.approve(office.sender, ISSUE, approved_by="test")
        id = campaigns.schedule(office.sender, ISSUE, at=office.clock() + timedelta(days=1)).id
        office, done = put_back(office, take(office))
        closing(office)
        assert (done.held, done.batches_in_doubt) == ((id,), 0)
        campaigns.resume(office.sender, id)
        office.deliver_ready()
        assert once_each(office, 10)

    def test_a_search_that_may_have_forgotten_is_not_believed(self, open_office: Open, closing: Callable[[Office], Office]) -> None:
        office = open_office()
        id = office.launch(1000)
        archive = take(office)
        office.clock.pass_by(days=3)
        office, _ = put_back(office, archive)
        closing(office)
        assert doubts.reconcile(office.sender, id) == Reconciled(held=1)
        assert "no longer show" in office.status(id).troubled[0].detail

    def test_a_second_restore_remembers_both_lives(self, open_office: Open, closing: Callable[[Office], Office]) -> None:
        office = open_office()
        id = office.launch(READERS)
        archive = take(office)
        delivery.deliver(office.sender, delivery.ready(office.sender, 1)[0])  # in the first life
        office, first = put_back(office, archive)
        again = take(office, "again.tar")
        campaigns.resume(office.sender, id)
        office.clock.pass_by(minutes=2)
        for _ in range(2):
            doubts.reconcile(office.sender, id)
            office.clock.pass_by(seconds=6)
        delivery.deliver(office.sender, delivery.ready(office.sender, 1)[0])  # in the second
        office, second = put_back(office, again)
        closing(office)
        with reading(office.sender.engine) as connection:
            there = campaign_rows.get(connection, id)
        assert there is not None
        assert there.earlier == (f"{first.before}-{id}", f"{second.before}-{id}")
        campaigns.resume(office.sender, id)
        settle(office)
        assert office.status(id).campaign.state is CampaignState.SENT
        assert once_each(office)

    def test_control_a_copy_put_back_by_hand_mails_them_twice(self, open_office: Open) -> None:
        """What all this is against."""
        office = open_office()
        office.launch(READERS)
        database = backups.database_file(office.sender.settings)
        copies.copy(database, database.with_name("copy.db"))
        office.deliver_ready()
        office.sender.close()
        database.with_name("copy.db").replace(database)
        again = app.open_sender(office.sender.settings, office.clock)
        office = replace(office, sender=again)
        office.deliver_ready()
        again.close()
        assert office.inbox.store.stats().mails == 2 * READERS


def test_a_backup_taken_while_a_sender_sends_is_one_moment(open_office: Open, closing: Callable[[Office], Office]) -> None:
    office = open_office("latency=20ms")
    office = replace(office, sender=replace(office.sender, settings=office.sender.settings))
    id = office.launch(20_000)
    sending = threading.Thread(target=office.deliver_ready)
    sending.start()
    taken: list[Path] = []
    while sending.is_alive() and len(taken) < 8:
        taken.append(take(office, f"{len(taken)}.tar"))
    sending.join()
    assert len(taken) > 1
    office, _ = put_back(office, taken[len(taken) // 2])
    closing(office)
    tally = office.status(id).tally
    assert tally.total == 20_000
    assert tally.waiting == tally.submitting == 0
    settle(office)
    assert office.status(id).campaign.state is CampaignState.SENT
    assert once_each(office, 20_000)


class TestTheArchive:
    """Whole or not at all; verified before anything is touched."""

    @pytest.fixture
    def office(self, open_office: Open) -> Office:
        """A small one."""
        office = open_office()
        office.launch(50)
        return office

    def test_it_is_private_and_holds_no_keys(self, office: Office) -> None:
        archive = take(office)
        assert stat.S_IMODE(archive.stat().st_mode) == 0o600
        with tarfile.open(archive) as tar:
            assert tar.getnames() == ["manifest.json", "manifest.mac", "briefing.db"]
        data = archive.read_bytes()
        for key in office.sender.settings.keys.glob("*.key"):
            assert key.read_bytes().strip() not in data
            assert bytes.fromhex(key.read_text().strip()) not in data
        assert [path.name for path in archive.parent.iterdir() if "unfinished" in path.name] == []

    def test_it_replaces_nothing(self, office: Office) -> None:
        archive = take(office)
        with pytest.raises(Refusal, match="exists already"):
            backups.backup(office.sender.settings, archive, office.clock)

    @pytest.mark.parametrize("point", ["copy", "check", "_manifest", "_member"])
    def test_killed_in_the_middle_it_leaves_no_archive_and_the_next_one_cleans_up(self, office: Office, point: str) -> None:
        target = office.sender.settings.root.parent / "night.tar"
        child = os.fork()
        if child == 0:
            module = copies if point in ("copy", "check") else backups
            setattr(module, point, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            backups.backup(office.sender.settings, target, office.clock)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert not target.exists()
        left = list(target.parent.glob(".night.tar.*.unfinished"))
        assert left
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in left)
        take(office)
        assert list(target.parent.glob(".night.tar.*.unfinished")) == []

    @pytest.mark.parametrize("part", [0.0, 0.001, 0.01, 0.3, 0.9, 0.999])
    def test_a_truncated_one_is_refused(self, office: Office, part: float) -> None:
        archive = take(office)
        data = archive.read_bytes()
        with tarfile.open(archive) as tar:
            last = tar.getmembers()[-1]
        end = last.offset_data + last.size
        archive.write_bytes(data[: int(end * part)])
        self._is_refused(office, archive)

    def test_one_flipped_bit_anywhere_is_noticed(self, office: Office) -> None:
        archive = take(office)
        data = bytearray(archive.read_bytes())
        with tarfile.open(archive) as tar:
            ends = [(one.offset_data, one.offset_data + one.size) for one in tar.getmembers()]
        for start, end in ends:
            for place in (start, (start + end) // 2, end - 1):
                data[place] ^= 1
                archive.write_bytes(data)
                self._is_refused(office, archive)
                data[place] ^= 1

    def test_a_database_with_a_manifest_of_somebody_else_is_refused(self, office: Office) -> None:
        """Whoever can write a tar can write its digests; without the newsroom's key they prove nothing."""
        archive = take(office)
        with tarfile.open(archive) as tar:
            contents = {one.name: tar.extractfile(one).read() for one in tar.getmembers()}  # type: ignore[union-attr]
        contents["manifest.json"] = contents["manifest.json"].replace(b'"schema"', b' "schema"')
        with tarfile.open(archive, "w") as tar:
            for name, data in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        self._is_refused(office, archive)

    @pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "briefing.db"])
    def test_other_members_are_not_unpacked(self, office: Office, name: str) -> None:
        archive = office.sender.settings.root.parent / "strange.tar"
        with tarfile.open(archive, "w") as tar:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
        self._is_refused(office, archive)

    def test_the_keys_must_be_those_of_the_backup(self, office: Office) -> None:
        archive = take(office)
        office.sender.close()
        keys = office.sender.settings.keys
        keys.joinpath("index.key").write_text("00" * 32 + "\n")
        with pytest.raises(Refusal, match="keys"):
            backups.restore(office.sender.settings, archive, office.clock, provider="sandbox", force=True)
        shutil.rmtree(keys)
        with pytest.raises(ConfigurationError, match="cannot be read"):
            backups.restore(office.sender.settings, archive, office.clock, provider="sandbox", force=True)

    def _is_refused(self, office: Office, archive: Path) -> None:
        """And the database is as it was."""
        office.sender.engine.dispose()
        database = backups.database_file(office.sender.settings)
        before = database.read_bytes()
        with pytest.raises(BriefingError, match=r"not a whole backup|was not made with"):
            backups.restore(office.sender.settings, archive, office.clock, provider="sandbox", force=True)
        assert database.read_bytes() == before
        assert not list(database.parent.glob("*.before-restore-*"))
        assert not list(database.parent.glob(".*.unfinished"))


class TestTheDatabaseThatIsThere:
    """It is not lost, and not swapped under somebody's feet."""

    @pytest.fixture
    def office(self, open_office: Open) -> Office:
        """A small one."""
        office = open_office()
        office.launch(50)
        return office

    def test_it_is_replaced_only_with_force_and_kept_aside(self, office: Office) -> None:
        archive = take(office)
        office.deliver_ready()
        office.sender.close()
        settings = office.sender.settings
        with pytest.raises(Refusal, match="there is a database already"):
            backups.restore(settings, archive, office.clock, provider="sandbox")
        done = backups.restore(settings, archive, office.clock, provider="sandbox", force=True)
        assert done.kept is not None
        with sqlite3.connect(done.kept) as kept:
            assert kept.execute("SELECT state FROM batch").fetchall() == [("accepted",)]
            assert kept.execute("SELECT name FROM instance").fetchone()[0] == done.before != done.instance
        kept.close()

    def test_beside_a_worker_nothing_is_restored(self, office: Office) -> None:
        archive = take(office)
        database = backups.database_file(office.sender.settings)
        with only_one(Path(f"{database}.worker"), "here"), pytest.raises(Refusal, match="worker"):
            backups.restore(office.sender.settings, archive, office.clock, provider="sandbox", force=True)

    def test_while_another_program_has_it_open_nothing_is_restored(self, office: Office) -> None:
        archive = take(office)
        with pytest.raises(Refusal, match="is open in another program"):
            backups.restore(office.sender.settings, archive, office.clock, provider="sandbox", force=True)
        assert office.status(1).tally.waiting == 50

    def test_a_damaged_one_is_no_obstacle(self, office: Office, closing: Callable[[Office], Office]) -> None:
        archive = take(office)
        office.sender.close()
        backups.database_file(office.sender.settings).write_bytes(b"no database" * 1000)
        office, done = put_back(office, archive)
        closing(office)
        assert done.kept is not None
        assert done.kept.read_bytes().startswith(b"no database")
        assert office.status(1).tally.in_doubt == 50

    def test_where_there_is_none_nothing_is_kept(self, office: Office) -> None:
        archive = take(office)
        office.sender.close()
        backups.database_file(office.sender.settings).unlink()
        assert backups.restore(office.sender.settings, archive, office.clock, provider="sandbox").kept is None


def test_a_backup_of_an_older_schema_is_upgraded(root: Path, clock: SetClock) -> None:
    settings = app.load_settings(root, {})
    engine = open_engine(settings.database_url)
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with transaction(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.execute(text("INSERT INTO instance (id, name, since) VALUES (1, 'abcd1234', '2021-08-18 04:30:00.000000')"))
    engine.dispose()
    archive = root.parent / "old.tar"
    assert backups.backup(settings, archive, clock).schema == "0004"
    done = backups.restore(settings, archive, clock, provider="sandbox", force=True)
    assert done.before == "abcd1234"
    app.open_station(settings, clock).close()


def test_on_postgresql_its_own_tools_are_named(root: Path, clock: SetClock) -> None:
    settings = app.load_settings(root, {"BRIEFING_DATABASE": "postgresql://nobody@localhost/nowhere"})
    with pytest.raises(Refusal, match="PostgreSQL") as error:
        backups.backup(settings, root / "x.tar", clock)
    assert "pg_dump" in error.value.hint


def test_before_the_first_day_there_is_nothing_to_keep(root: Path, clock: SetClock) -> None:
    with pytest.raises(Refusal, match="no database yet"):
        backups.backup(app.load_settings(root, {}), root / "x.tar", clock)
