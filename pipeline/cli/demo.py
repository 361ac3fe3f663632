"""``briefing demo``: the whole pipeline on sample data, through the same doors, database, HTTP and archive as everyday work."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pipeline.cli.door import Json, command, err, out, print_json
from pipeline.core.campaign import CampaignState
from pipeline.errors import Refusal


def register(cli: typer.Typer) -> None:
    """Adds this file's command."""
    cli.command("demo")(demo)


def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Where the demo newsroom is laid.")] = Path("var/demo"),
    once: Annotated[bool, typer.Option("--once", help="Stop after the send.")] = False,
    recipients: Annotated[int, typer.Option("--recipients", min=1, max=5_000_000, help="How many made-up readers.")] = 1000,
    port: Annotated[int, typer.Option("--port", help="The archive's port; the others follow. A busy one moves to the next free.")] = 8000,
    faults: Annotated[str, typer.Option("--faults", metavar="SPEC", help="Faults for the sandbox to play, as in briefing sandbox.")] = "",
    as_json: Json = False,
) -> None:
    """Walk the whole way once: lay a newsroom, import readers, approve, schedule, send through HTTP, publish, show."""
    from pipeline.cli import stage as acts

    logging.getLogger("pipeline").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _interrupt)

    def say(text: str) -> None:
        (err if as_json else out).print(text, markup=False)

    try:
        with ExitStack() as stack:
            stage = acts.set_stage(directory, port, faults, stack)
            say(f"1. A newsroom lies in {directory}; its provider is the sandbox at {stage.inbox.url}")
            acts.import_readers(stage, recipients)
            say(f"2. {recipients} made-up readers are on the list of {acts.NEWSLETTER}")
            coming = acts.schedule(stage).campaign
            say(f"3. {coming.issue_id} is approved and due at {coming.due_at:%H:%M:%S} UTC")
            final = acts.send(stage, coming.id, recipients)
            result = acts.result(stage, final)
            if as_json:
                print_json(result)
            said = f"{result['sent']} of {result['recipients']} readers in {result['seconds']} s, {result['duplicates']} duplicates"
            say(f"4. Sent to {said}")
            say(f"   Archive         {stage.web_url}/{coming.issue_id}/")
            say(f"   Preview         {stage.preview_url}/issues/{coming.issue_id}/")
            say(f"   Sandbox inbox   {stage.inbox.url}/")
            if once:
                say(f"   See them again: {command()} --newsroom {directory} serve")
            else:
                say("   Ctrl-C ends the demo.")
                threading.Event().wait()
            if final.campaign.state is not CampaignState.SENT:
                raise Refusal(f"the send ended as {final.campaign.state}", hint=f"See: {command()} --newsroom {directory} status")
    except KeyboardInterrupt:
        err.print("\nThe demo has ended; its newsroom stays.")


def _interrupt(*_: object) -> NoReturn:
    """SIGTERM ends a demo as Ctrl-C does: servers and worker stop in order."""
    raise KeyboardInterrupt
