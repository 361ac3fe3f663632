"""What ``briefing demo`` sets up and does: every part is the one that everyday work uses."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pipeline import app
from pipeline.cli.door import err, progress
from pipeline.cli.servers import sandbox_store
from pipeline.core.campaign import CampaignState
from pipeline.errors import BriefingError, OutsideFault, Refusal
from pipeline.files import is_held, write_file
from pipeline.flow import campaigns, drafts, editions, readers, starter
from pipeline.flow.campaigns import Status
from pipeline.flow.context import Sender
from pipeline.providers.sandbox.faults import parse_faults
from pipeline.providers.sandbox.run import RunningServer
from pipeline.providers.sandbox.run import start_in_thread as start_sandbox
from pipeline.serving import LOOPBACK, listen, start_app
from pipeline.web.preview import create_preview
from pipeline.web.public import create_public
from pipeline.worker import Worker

MARK = ".briefing-demo"
"""A directory with this file was laid by a demo and may be laid anew."""

NEWSLETTER = "eurasia-briefing"
DELAY = timedelta(seconds=3)
DOMAINS = ("example.org", "example.net", "example.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs while the demo lasts."""

    sender: Sender
    inbox: RunningServer
    web_url: str
    preview_url: str


def set_stage(directory: Path, port: int, faults: str, stack: ExitStack) -> Stage:
    """Lays the newsroom and starts sandbox, archive, preview and worker, each on a free port of this machine."""
    spec = parse_faults(faults)
    _clear(directory)
    web_url = f"http://{LOOPBACK}:{_free_port(port)}"
    inbox_port = _free_port(port + 25)
    starter.lay(directory, {"base_url": web_url, "provider.sandbox.base_url": f"http://{LOOPBACK}:{inbox_port}"})
    write_file(directory / MARK, b"Laid by briefing demo, which may delete this directory when it runs again.\n")
    root = directory.resolve()
    environ = _without_settings(os.environ)
    sender = app.open_sender(app.load_settings(root, environ))
    stack.callback(sender.close)
    inbox = start_sandbox(sandbox_store(sender.settings), port=inbox_port, faults=spec)
    stack.callback(inbox.stop)
    web = start_app(create_public(sender), LOOPBACK, int(web_url.rpartition(":")[2]), name="archive")
    stack.callback(web.stop)
    preview = start_app(
        create_preview(root, lambda: app.open_desk(app.load_settings(root, environ))), LOOPBACK, port + 10, next_free=True, name="preview"
    )
    stack.callback(preview.stop)
    worker = Worker(sender)
    thread = threading.Thread(target=_run, args=(worker,), name="worker", daemon=True)
    thread.start()
    stack.callback(thread.join, 30)
    stack.callback(worker.stop)
    return Stage(sender=sender, inbox=inbox, web_url=web_url, preview_url=preview.url)


def _run(worker: Worker) -> None:
    try:
        worker.run()
    except BriefingError as error:
        err.print(f"worker: {error.message}", markup=False)


def _clear(directory: Path) -> None:
    """Makes room for a new demo, but only where an earlier one was, and only if it is not running."""
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    if not (directory / MARK).is_file():
        raise Refusal(f"{directory} is not empty and was not laid by a demo", hint="Name another place with --dir.")
    if is_held(directory / "var" / "briefing.db.worker"):
        raise Refusal(f"another demo is running in {directory}", hint="Stop it with Ctrl-C, or name another place with --dir.")
    shutil.rmtree(directory)


def _free_port(port: int) -> int:
    with listen(LOOPBACK, port, next_free=True, name="demo") as listener:
        return int(listener.getsockname()[1])


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without Briefing's variables: a demo must never reach a real database or provider."""
    return {name: value for name, value in environ.items() if not name.startswith("BRIEFING_")}


def import_readers(stage: Stage, recipients: int) -> None:
    """Puts made-up readers on the list, through the door that real ones take."""
    path = stage.sender.settings.var / "demo-readers.csv"
    rows = ("email\n", *(f"reader{number:07d}@{DOMAINS[number % len(DOMAINS)]}\n" for number in range(1, recipients + 1)))
    write_file(path, "".join(rows).encode(), durable=False)
    with progress("readers", recipients) as done:
        readers.import_csv(stage.sender, path, NEWSLETTER, consent="made up for the demo", progress=done)


def schedule(stage: Stage) -> Status:
    """Approves the newest sample issue in its original language and schedules it for a few seconds ahead."""
    newest = drafts.newest_original(stage.sender, NEWSLETTER)
    assert newest is not None, "the packaged newsroom has issues"
    editions.approve(stage.sender, str(newest), approved_by="demo")
    made = campaigns.schedule(stage.sender, str(newest), at=stage.sender.clock() + DELAY)
    return campaigns.status(stage.sender, made.id)


def send(stage: Stage, id: int, recipients: int) -> Status:
    """Follows the campaign to its end, or to where only a person could help."""
    deadline = time.monotonic() + 120 + recipients / 100
    with progress("sent", recipients) as done:
        while True:
            one = campaigns.status(stage.sender, id)
            done(one.tally.done)
            stuck = one.tally.in_doubt and not one.tally.waiting + one.tally.submitting
            if one.campaign.state in (CampaignState.SENT, CampaignState.HELD) or stuck:
                return one
            if time.monotonic() > deadline:
                raise OutsideFault(f"the send did not end in time: {one.tally}")
            time.sleep(0.05)


def result(stage: Stage, final: Status) -> dict[str, object]:
    """The demo's one JSON document; duplicates are counted by the sandbox, not by us."""
    there, tally = final.campaign, final.tally
    ended = there.finished_at or stage.sender.clock()
    return {
        "campaign": there.id, "recipients": there.audience, "sent": tally.sent, "refused": tally.refused, "suppressed": tally.suppressed,
        "in_doubt": tally.in_doubt, "duplicates": stage.inbox.store.stats().duplicates,
        "seconds": round((ended - (there.started_at or ended)).total_seconds(), 2),
        "archive": f"{stage.web_url}/{there.issue_id}/", "inbox": f"{stage.inbox.url}/",
    }  # fmt: skip
