"""Declared states of emergency: no marketing to consumers of a region while one is in force."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import httpx
import typer

from outdial_cli.commands.context import AsJson, DataDir, careful, print_json, running
from outdial_cli.demo.services import Refused

app = typer.Typer(help="Declared states of emergency, by region.", no_args_is_help=True)
SECONDS = 10.0
By = typer.Option(None, "--by", help="Who says so (default: the login name).")


@app.command("declare")
@careful
def suspension_declare(
    region: str = typer.Argument(help="A region or country, for example US-NY."),
    source: str = typer.Option(..., "--source", help="Where it is proclaimed, for example an executive order."),
    starts_at: str = typer.Option(None, "--from", help="YYYY-MM-DDTHH:MM:SSZ (default: now)."),
    ends_at: str = typer.Option(None, "--until", help="YYYY-MM-DDTHH:MM:SSZ (default: until it is lifted)."),
    suspension_id: str = typer.Option(None, "--id", help="Your id of it: to repeat the command is safe then."),
    by: str = By,
    data_dir: Path = DataDir,
    as_json: bool = AsJson,
) -> None:
    """Suspend marketing calls to consumers of a region; whatever is decided or dialled from now on heeds it.

    Example: outdial suspension declare US-NY --source "Executive Order 28"
    """
    told = {"region": region, "source": source, "starts_at": starts_at, "ends_at": ends_at}
    body = {**told, "suspension_id": suspension_id, "entered_by": by or getpass.getuser()}
    _say(_ask(data_dir, "POST", "/v1/suspensions", {k: v for k, v in body.items() if v is not None}), as_json)


@app.command("lift")
@careful
def suspension_lift(
    suspension_id: str = typer.Argument(help="As `outdial suspension list` shows it."),
    ends_at: str = typer.Option(None, "--until", help="Over from then, YYYY-MM-DDTHH:MM:SSZ (default: now)."),
    by: str = By,
    data_dir: Path = DataDir,
    as_json: bool = AsJson,
) -> None:
    """End a suspension.

    Example: outdial suspension lift 9c6f4a1e-0000-5000-8000-000000000001
    """
    body = {"lifted_by": by or getpass.getuser(), **({"ends_at": ends_at} if ends_at else {})}
    _say(_ask(data_dir, "POST", f"/v1/suspensions/{suspension_id}/lift", body), as_json)


@app.command("list")
@careful
def suspension_list(data_dir: Path = DataDir, as_json: bool = AsJson) -> None:
    """Every suspension that was ever declared, and whether it is in force now.

    Example: outdial suspension list
    """
    body = _ask(data_dir, "GET", "/v1/suspensions", None)
    if as_json:
        print_json(body)
        return
    for row in body["suspensions"]:
        print(f"{'in force' if row['in_force'] else 'not in force'}  {_line(row)}")
    if not body["suspensions"]:
        print("no state of emergency was ever declared here")


def _ask(data_dir: Path, method: str, path: str, body: Any) -> dict[str, Any]:
    url = f"{running(data_dir).addresses.url('compliance-gate')}{path}"
    reply = httpx.request(method, url, json=body, timeout=SECONDS)
    if reply.status_code >= 400:
        raise Refused(reply.json().get("detail", reply.text))
    return dict(reply.json())


def _say(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(row)
    else:
        print(_line(row))


def _line(row: dict[str, Any]) -> str:
    until = row["ends_at"] or "it is lifted"
    return f"{row['suspension_id']}  {row['region']}  from {row['starts_at']} until {until}  ({row['source']})"
