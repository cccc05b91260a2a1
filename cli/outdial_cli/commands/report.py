"""Reports for a regulator or whoever answers for a seller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from outdial_cli.commands.context import DataDir, careful, services_of
from outdial_cli.report.compliance import compliance_csv, compliance_page

app = typer.Typer(help="Reports of what was done.", no_args_is_help=True)


class Format(StrEnum):
    """How a report is written."""

    HTML = "html"
    CSV = "csv"
    JSON = "json"


@app.callback()
def reports() -> None:
    """Keeps `compliance` a word of its own while it is the only report."""


@app.command()
@careful
def compliance(
    month: str = typer.Option(..., "--month", help="YYYY-MM, a calendar month of UTC."),
    seller: str = typer.Option(..., "--seller", help="Seller id."),
    form: Format = typer.Option(Format.HTML, "--format", help="html, csv or json."),
    out: Path | None = typer.Option(None, "--out", help="File to write; stdout without it."),
    data_dir: Path = DataDir,
) -> None:
    """A month of a seller: drop rates by legal window, the safe harbour's limbs, DNC requests, lists, rule packs.

    Example: outdial report compliance --month 2026-11 --seller S1 --format html --out report.html
    """
    query = {"month": month, "seller": seller}
    report = services_of(data_dir).get("compliance-gate", "/v1/reports/compliance", query)
    text = _written(report, form)
    if out is None:
        print(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        print(f"{out}: {report['seller_id']}, {report['month']}, {len(report['windows'])} legal windows")


def _written(report: Mapping[str, Any], form: Format) -> str:
    if form is Format.HTML:
        return compliance_page(report)
    return compliance_csv(report) if form is Format.CSV else json.dumps(report, indent=2)
