"""`outdial preflight`: what the gate would say to a file of leads, before any of them is imported."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from outdial_cli.campaign_file import refuse_unlawful, with_transcript
from outdial_cli.commands.context import AsJson, DataDir, careful, document, print_json, services_of
from outdial_cli.demo.inputs import BadInput
from outdial_cli.report.preflight import render_preflight
from outdial_cli.report.preflight_page import preflight_page
from outdial_cli.report.render import wide_console

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@careful
def preflight(
    campaign: Path = typer.Option(..., "--campaign", help="campaign.yaml"),
    leads: Path = typer.Option(..., "--leads", help="leads.csv"),
    until: str = typer.Option(
        None, "--until", help="Last hour, YYYY-MM-DDTHH:MM:SSZ (default: 24 hours, at most 14 days)."
    ),
    html: Path | None = typer.Option(None, "--html", help="Also write a page with the plot to this file."),
    data_dir: Path = DataDir,
    as_json: bool = AsJson,
) -> None:
    """How many leads would be skipped and why, now and by hour, before anything is imported.

    The campaign must be applied; one without a lawful safe-harbour message is refused before anything is asked.

    Example: outdial preflight --campaign examples/campaign.yaml --leads examples/leads.csv
    """
    content = document(campaign)
    if "id" not in content:
        raise BadInput(f"{campaign}: id is missing")
    if until is not None and not INSTANT.fullmatch(until):
        raise BadInput("--until: must be YYYY-MM-DDTHH:MM:SSZ")
    content = with_transcript(content, campaign)
    refuse_unlawful(content, campaign)
    services = services_of(data_dir)
    with _progress() as progress:
        reading = progress.add_task("reading the file", total=None)
        trial = services.import_leads(leads, str(content["id"]), dry_run=True)
        progress.remove_task(reading)
        judging = progress.add_task("asking the gate", total=trial["leads"])
        answer = services.preflight(content, trial["valid"], until=until, told=lambda n: progress.advance(judging, n))
    if html is not None:
        html.write_text(preflight_page(trial, answer, str(content["id"])), encoding="utf-8")
    if as_json:
        print_json({"intake": {k: trial[k] for k in ("rows", "leads", "rejected", "errors")}, "preflight": answer})
        return
    render_preflight(trial, answer, wide_console(stderr=False))
    if html is not None:
        print(f"wrote {html}")


def _progress() -> Progress:
    """On stderr, where that is a terminal."""
    screen = wide_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
