"""What a running stack is given: campaigns, leads, suppressions, routes, the stop button."""

from __future__ import annotations

from pathlib import Path

import httpx
import typer

from outdial_cli.campaign_file import with_transcript
from outdial_cli.commands.context import AsJson, DataDir, careful, document, print_json, running, services_of
from outdial_cli.demo.services import Refused

campaign = typer.Typer(help="Campaign documents and their state.", no_args_is_help=True)
leads = typer.Typer(help="Leads in.", no_args_is_help=True)
dnc = typer.Typer(help="Suppressions in.", no_args_is_help=True)
routes = typer.Typer(help="Route documents.", no_args_is_help=True)


@campaign.command("apply")
@careful
def campaign_apply(file: Path = typer.Argument(help="campaign.yaml"), data_dir: Path = DataDir) -> None:
    """Publish a campaign; the same document again is the same version.

    Example: outdial campaign apply examples/campaign.yaml
    """
    content = with_transcript(document(file), file)
    version = services_of(data_dir).publish_campaign(content)
    print(f"{content['id']} version {version}")


@campaign.command("state")
@careful
def campaign_state(
    campaign_id: str = typer.Argument(help="Campaign id."),
    state: str = typer.Argument(help="running, paused or stopped."),
    data_dir: Path = DataDir,
) -> None:
    """Run, pause or stop a campaign; the gate checks it again at the last look.

    Example: outdial campaign state spring-renewal running
    """
    services_of(data_dir).set_state(campaign_id, state.upper())
    print(f"{campaign_id} {state.lower()}")


@leads.command("import")
@careful
def leads_import(
    file: Path = typer.Argument(help="leads.csv"),
    campaign_id: str = typer.Option(..., "--campaign", help="Campaign id."),
    source: str = typer.Option("csv", "--source", help="Who submits: a lead's identity is source and lead_id."),
    data_dir: Path = DataDir,
    as_json: bool = AsJson,
) -> None:
    """Import a CSV; every row is accounted for.

    Example: outdial leads import examples/leads.csv --campaign spring-renewal
    """
    done = services_of(data_dir).import_leads(file, campaign_id, dry_run=False, source=source)
    if as_json:
        print_json(done)
        return
    print(f"{done['rows']} rows, {done['leads']} leads, {sum(done['rejected'].values())} rejected")
    for error in done["errors"]:
        print(f"  row {error['row']}: {error['reason']} {error.get('field') or ''}: {error.get('shape') or ''}")


@dnc.command("import")
@careful
def dnc_import(file: Path = typer.Argument(help="suppression.csv"), data_dir: Path = DataDir) -> None:
    """Import suppressions; they are in force when this returns.

    Example: outdial dnc import examples/suppression.csv
    """
    print_json(services_of(data_dir).suppress(file))


@routes.command("apply")
@careful
def routes_apply(file: Path = typer.Argument(help="route.yaml"), data_dir: Path = DataDir) -> None:
    """Publish a route document.

    Example: outdial routes apply examples/route.yaml
    """
    services_of(data_dir).publish_route(document(file))
    print("published")


@careful
def stop(
    scope: str = typer.Argument("all", help="all, seller:ID, state:US-NY or route:ID."),
    reason: str = typer.Option("stopped by hand", "--reason", help="Why."),
    release: bool = typer.Option(False, "--release", help="Release the button again."),
    data_dir: Path = DataDir,
) -> None:
    """The stop button: nothing in scope is dialled from now on.

    Example: outdial stop all --reason "wrong list"
    """
    body = {"scope": scope, "stopped": not release, "reason": reason}
    reply = httpx.post(f"{running(data_dir).addresses.url('console')}/v1/stops", json=body, timeout=10)
    if reply.status_code >= 400:
        raise Refused(reply.json().get("detail", reply.text))
    print(f"{'released' if release else 'stopped'}: {scope}")
