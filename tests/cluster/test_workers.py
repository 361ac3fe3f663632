"""Several workers on one PostgreSQL database: everybody once, whoever dies, freezes or loses its jobs on the way."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from pipeline.core.campaign import CampaignState
from pipeline.flow import campaigns
from pipeline.providers.sandbox.adapter import DoubtClass
from tests.cluster.conftest import READERS, SIZE, Cluster, Process

Make = Callable[..., Cluster]


def sent(cluster: Cluster) -> bool:
    return cluster.status.campaign.state is CampaignState.SENT


def assert_everybody_once(cluster: Cluster) -> None:
    tally, stats = cluster.status.tally, cluster.inbox.store.stats()
    assert (tally.sent, tally.total) == (READERS, READERS)
    assert (stats.recipients, stats.duplicates) == (READERS, 0)


def holders(cluster: Cluster) -> set[object]:
    return {row[0] for row in cluster.sql("SELECT DISTINCT holder FROM batch WHERE holder IS NOT NULL")}


def leader(cluster: Cluster) -> Process:
    holder, _ = cluster.sql("SELECT holder, epoch FROM leader")[0]
    return next(one for one in cluster.processes if one.leads == holder)


@pytest.mark.parametrize("engine", ["procrastinate", "local"])
def test_the_leader_is_killed_while_three_send(make_cluster: Make, engine: str) -> None:
    cluster = make_cluster(engine=engine)
    cluster.start(3)
    cluster.until("three deliver", lambda: len(holders(cluster)) == 3)
    first = leader(cluster)
    first.send(signal.SIGKILL)
    assert cluster.status.tally.waiting, "it was killed too late to mean anything"
    took = cluster.until("the others finish it", lambda: sent(cluster))
    assert took < 30, "the lease of a call alone would be 150 s"
    assert_everybody_once(cluster)
    assert cluster.sql("SELECT epoch FROM leader") == [(2,)]
    second = leader(cluster)
    assert second is not first
    for one in cluster.processes:
        if one is not first:
            one.send(signal.SIGTERM)
            assert one.popen.returncode == 0, one.said
    assert cluster.sql("SELECT count(*) FROM worker WHERE beat > clock_timestamp() - interval '1 second'") == [(0,)]


def test_jobs_are_lost_and_doubled_and_a_pause_is_seen_by_all(make_cluster: Make) -> None:
    cluster = make_cluster(faults="latency=200ms")
    cluster.start(2)
    cluster.until("jobs wait", lambda: cluster.sql("SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' LIMIT 1"))
    cluster.until("mail leaves", lambda: cluster.status.tally.sent >= 4 * SIZE)
    pause_and_resume(cluster)
    cluster.sql("DELETE FROM procrastinate_jobs")
    cluster.until("they are deferred again", lambda: cluster.sql("SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' LIMIT 1"), 10)
    cluster.sql(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) SELECT 'briefing', 'briefing.deliver',"
        " jsonb_build_object('campaign_id', campaign_id, 'no', no) FROM batch, generate_series(1, 3)"
    )
    cluster.until("it is sent", lambda: sent(cluster))
    assert_everybody_once(cluster)
    cluster.until("no job is left", lambda: cluster.sql("SELECT count(*) FROM procrastinate_jobs") == [(0,)], 20)
    # The jobs that were at work when the table was emptied cannot be ended, which asyncio tells; nothing else went wrong.
    errors = re.findall(r" error (\S+): (.*)", "".join(one.said for one in cluster.processes))
    assert [one for one in errors if one[0] != "asyncio"] == []


def pause_and_resume(cluster: Cluster) -> None:
    campaigns.pause(cluster.sender, 1)
    paused = cluster.sender.clock()
    time.sleep(1)
    before = cluster.inbox.store.stats().recipients
    assert 0 < before < READERS
    assert cluster.sql("SELECT max(intended_at) FROM batch") < [(paused + timedelta(seconds=0.05),)], "no call began after the pause"
    campaigns.resume(cluster.sender, 1)
    cluster.until("it goes on", lambda: cluster.inbox.store.stats().recipients > before, 5)


def test_a_worker_freezes_longer_than_its_heart_may_stand_still(make_cluster: Make) -> None:
    """It wakes with batches in hand that others have taken over, and with calls that others have asked about."""
    cluster = make_cluster(kind=DoubtClass.SEARCH)
    cluster.start(2)
    cluster.until("both deliver", lambda: len(holders(cluster)) == 2)
    frozen = leader(cluster)
    frozen.send(signal.SIGSTOP)
    assert cluster.status.tally.waiting
    cluster.until("another one leads", lambda: cluster.sql("SELECT epoch FROM leader") == [(2,)], 20)
    time.sleep(2.5)  # the new leader sweeps
    held = cluster.sql("SELECT count(*) FROM batch WHERE state IN ('claimed', 'submitting') AND holder = '" + str(frozen.leads) + "'")
    assert held == [(0,)], "what it had in hand was taken away while it slept"
    frozen.send(signal.SIGCONT)
    cluster.until("it is sent", lambda: sent(cluster))
    assert_everybody_once(cluster)
    assert "worker died" in "".join(one.said for one in cluster.processes if one is not frozen)
