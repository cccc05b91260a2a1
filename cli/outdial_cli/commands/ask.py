"""Questions to a running stack: why, health, trace, evidence."""

from __future__ import annotations

import uuid
from pathlib import Path

import httpx
import typer

from outdial_cli.commands.context import (
    AsJson,
    DataDir,
    careful,
    print_json,
    print_mapping,
    running,
    services_of,
)
from outdial_cli.report.evidence import evidence_page, evidence_text
from outdial_cli.report.render import timeline, wide_console
from outdial_contracts.identity import trace_id

Attempt = typer.Argument(help="attempt_id, as in call.disposition.")


@careful
def why(campaign: str = typer.Argument(help="Campaign id."), data_dir: Path = DataDir, as_json: bool = AsJson) -> None:
    """Why is it (not) dialing? The constraint that binds now.

    Example: outdial why spring-renewal
    """
    answer = services_of(data_dir).get("pacer", f"/v1/why/{campaign}")
    if as_json:
        print_json(answer)
        return
    print(f"{answer['binding']}: {answer['sentence']}")
    print_mapping(answer.get("facts", {}), "  ")


@careful
def health(data_dir: Path = DataDir, as_json: bool = AsJson) -> None:
    """Which part of the gate is shut, and what does not happen while it is. Exit code 1 when nothing can be dialled.

    Example: outdial health
    """
    answer = services_of(data_dir).get("compliance-gate", "/v1/health")
    if as_json:
        print_json(answer)
    else:
        print(f"the gate is {'open' if answer['open'] else 'shut'}")
        for part in answer["parts"]:
            print(f"  {part['name']:<9} {part['state']:<8} {part['why']}".rstrip())
            if part["stops"] and part["state"] != "open":
                print(f"  {'':<18} {part['stops']}")
    if not answer["open"]:
        raise typer.Exit(1)


@careful
def trace(attempt: str = Attempt, data_dir: Path = DataDir, as_json: bool = AsJson) -> None:
    """One attempt's way through all services, drawn from its trace.

    Example: outdial trace 0f8b5f3e-5a2c-5d0b-9d5e-3c1f6a7b8c9d
    """
    state = running(data_dir)
    reply = httpx.get(f"{state.collector_url}/traces/{trace_id(_attempt_id(attempt))}", timeout=10)
    spans = reply.json() if reply.status_code == 200 else []
    if not spans:
        raise ValueError(f"no span of attempt {attempt} was collected")
    if as_json:
        print_json(spans)
    else:
        wide_console(stderr=False).print(timeline(attempt, spans))


@careful
def evidence(
    attempt: str = Attempt,
    html: Path | None = typer.Option(None, "--html", help="Write the page to this file instead of printing it."),
    data_dir: Path = DataDir,
    as_json: bool = AsJson,
) -> None:
    """One page for a regulator: facts, rules and sources, times, consent proof, recording rule, proof in the ledger.

    Example: outdial evidence 0f8b5f3e-5a2c-5d0b-9d5e-3c1f6a7b8c9d --html evidence.html
    """
    page = services_of(data_dir).get("compliance-gate", f"/v1/evidence/{_attempt_id(attempt)}")
    if html is not None:
        html.write_text(evidence_page(page), encoding="utf-8")
        print(f"wrote {html}")
    elif as_json:
        print_json(page)
    else:
        print(evidence_text(page))


def _attempt_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ValueError(f"an attempt id is a UUID of 36 characters; got {len(text)} characters") from None
