"""The report for a person: tables where he would look, one attempt's timeline drawn, the books at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from outdial_cli.report.facts import Attempt, RunFacts
from outdial_contracts.identity import trace_id

BAR_CHARACTERS = 44
TIMELINE_SPANS = 40
FILE_WIDTH = 130


def wide_console(*, stderr: bool = True) -> Console:
    """stderr or stdout; where it is no terminal, wide enough that no column is cut."""
    screen = Console(stderr=stderr)
    return screen if screen.is_terminal else Console(stderr=stderr, width=FILE_WIDTH)


def render_report(report: Mapping[str, Any], facts: RunFacts, folder: Path, console: Console | None = None) -> None:
    """The whole report."""
    out = console or wide_console()
    out.rule("outdial demo")
    out.print(_pairs("Funnel", _funnel(report)))
    out.print(_pairs("Blocked, by reason", report["blocked"]))
    out.print(_pairs("Dispositions", report["dispositions"]))
    out.print(_pairs("People who answered (the carrier's truth)", _people(report)))
    out.print(_pairs("Agents and lines", _agents(report)))
    out.print(_latency(report["latency_ms"]))
    out.print(_pairs("Connect rate by the callee's hour", _hours(report["connect_rate_by_local_hour"])))
    _timeline(out, facts.attempts.get(str(report.get("shown_attempt"))), facts)
    _proofs(out, report)
    _books(out, report)
    paths = "   ".join(str(folder / name) for name in ("report.json", "report.html", "evidence.json"))
    out.print(f"\n{paths}", highlight=False, soft_wrap=True)


def _pairs(title: str, rows: Mapping[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, show_edge=False, pad_edge=False)
    table.add_column(min_width=34)
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(str(name), "-" if value is None else str(value))
    return table


def _funnel(r: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rows": r["rows"],
        "rejected": sum(r["rejected"].values()),
        "leads": r["leads"],
        "not reached in time": r["not_reached"],
        "offers": r["offers"],
        "blocked": r["blocked_total"],
        "cleared": r["cleared"],
        "refused at last look": r["refused"],
        "lapsed": r["lapsed"],
        "attempts (redeemed)": r["redeemed"],
        "seen by the carrier": r["invites_seen_by_carrier"],
        "human answers": r["humans_answered"],
        "connects": r["connected"],
    }


def _people(r: Mapping[str, Any]) -> dict[str, Any]:
    rate, budget = r["drop_rate"], r["drop_budget"]
    return {
        "answered": r["humans_answered"],
        "connected to an agent in time": r["connected"],
        "abandoned": r["abandoned"],
        "hung up on as machines": r["hung_up_as_machine"],
        "hung up first": r["hung_up_first"],
        "drop rate": None if rate is None else f"{rate:.1%}",
        "drop budget left, in calls": budget["left_calls"],
    }


def _agents(r: Mapping[str, Any]) -> dict[str, Any]:
    use = r["agent_utilisation"]
    return {"utilisation": None if use is None else f"{use:.0%}", "lines per agent": r["lines_per_agent"]}


def _hours(hours: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {
        f"{hour}:00": f"{h['connects']} of {h['attempts']}  {h['connect_rate']:.0%}  "
        f"{'█' * round(h['connect_rate'] * 20)}"
        for hour, h in hours.items()
    }


def _latency(latency: Mapping[str, Mapping[str, float] | None]) -> Table:
    table = Table(title="Latency, ms", title_justify="left", show_edge=False, pad_edge=False)
    for title in ("", "n", "p50", "p99"):
        table.add_column(title, justify="left" if not title else "right")
    for name, figures in latency.items():
        cells = [str(figures[k]) for k in ("n", "p50", "p99")] if figures else ["-", "-", "-"]
        table.add_row(name.replace("_", " "), *cells)
    return table


def _timeline(out: Console, attempt: Attempt | None, facts: RunFacts) -> None:
    """One attempt's trace, a bar per span."""
    if attempt is None:
        return
    spans = sorted(facts.spans.get(trace_id(attempt.attempt_id), []), key=lambda s: s["start_ns"])
    out.print(timeline(attempt.attempt_id, spans))


def timeline(attempt_id: str, spans: Iterable[Mapping[str, Any]]) -> Table:
    """A table of spans in order of start, each with its bar on the attempt's time."""
    rows = sorted(spans, key=lambda s: s["start_ns"])[:TIMELINE_SPANS]
    table = Table(title=f"Attempt {attempt_id}", title_justify="left", show_edge=False, pad_edge=False)
    for title in ("ms", "service", "span", ""):
        table.add_column(title, justify="right" if title == "ms" else "left", no_wrap=True)
    if not rows:
        return table
    first = rows[0]["start_ns"]
    whole = max(1, max(s["end_ns"] for s in rows) - first)
    for span in rows:
        left = int((span["start_ns"] - first) / whole * BAR_CHARACTERS)
        width = max(1, round((span["end_ns"] - span["start_ns"]) / whole * BAR_CHARACTERS))
        bar = " " * left + "━" * min(width, BAR_CHARACTERS - left + 1)
        table.add_row(f"{(span['start_ns'] - first) / 1e6:.0f}", span["service"], span["name"], bar)
    return table


def _proofs(out: Console, r: Mapping[str, Any]) -> None:
    ledger, altered, opted = r["ledger"], r["ledger_altered_byte"], r["opt_out"]
    out.print(f"\nledger: {ledger['records']} records, {'verified' if ledger['verified'] else 'NOT VERIFIED'}")
    out.print(f"one byte altered: {altered['said'] or 'NOT FOUND'}", highlight=False, soft_wrap=True)
    if opted["attempt_id"]:
        words = "refused at the last look" if opted["refused_at_last_look"] else "NOT REFUSED"
        out.print(f"queued person who opted out: {words}", highlight=False)
    for kill in r["kills"]:
        away = kill["back_at"] - kill["at"]
        out.print(f"{kill['service']} away {away:.1f} s: {r['invites_while_gate_away']} calls meanwhile, "
                  f"{r['invites_after_gate_back']} after it", highlight=False)  # fmt: skip
    hooks, traces = r["webhooks"], r["traces"]
    told = ", ".join(f"{n} {topic}" for topic, n in hooks["delivered"].items())
    out.print(
        f"webhooks verified by the CRM: {told or 'none'}; {hooks['missing']} missing, {hooks['forged']} forged, "
        f"{hooks['repeated']} repeated",
        highlight=False,
    )
    out.print(
        f"traces: {traces['checked']} checked, {traces['complete']} complete, "
        f"{len(traces['touched_by_a_kill'])} touched by a kill",
        highlight=False,
    )
    for attempt_id in traces["touched_by_a_kill"]:
        out.print(f"  touched: {attempt_id}", highlight=False)


def _books(out: Console, r: Mapping[str, Any]) -> None:
    phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in r["phase_seconds"].items())
    out.print(f"time: {phases}", highlight=False)
    if not r["broken"]:
        out.print("[bold green]the books balance[/bold green]: every identity and invariant holds")
    for name in r["broken"]:
        out.print(f"[bold red]does not hold[/bold red]: {name}")
