"""A decision as a table that a person can read: rule by rule, what it asks, whether it holds, and who says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Column, Table

from compliance_gate.cli.cases import Case
from compliance_gate.domain.decision import Decision
from compliance_gate.domain.ends import recording_of, shown_of
from compliance_gate.domain.evaluation import INTERNAL_DNC, SUSPENSION, gate
from compliance_gate.domain.evaluation import Verdict as Stop
from compliance_gate.domain.rules import (
    CallerIdRule,
    CapRule,
    ConsentRule,
    CooldownRule,
    ListRule,
    PackRow,
    RecordingDuty,
    RulePack,
    WindowRule,
)

NOT_LEGAL_ADVICE = (
    "Not legal advice: these rules are an engineering reading of public material; they are stricter than the law in "
    "places and may be wrong or out of date in others. Counsel must review every pack before a deployer relies on it."
)
PAGE_COLUMNS = 160
"""Of a table that goes into a file or a pipe."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
GATES = {
    "GATE-FAIL-CLOSED": "every store the decision rests on answers",
    "GATE-E164": "the number is one that can be dialled",
    "GATE-JURISDICTION": "a pack covers the country of number and address",
    "GATE-TZ": "a time zone and a country can be told",
    INTERNAL_DNC: "the person is not on the company's own do-not-call list",
    SUSPENSION: "no declared emergency in a region of the call",
}


def explain(case: Case, decision: Decision, pack: RulePack) -> None:
    """Prints one case for a person; never a phone number."""
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else PAGE_COLUMNS)
    word = "[bold green]ALLOW[/]" if decision.allowed else "[bold red]BLOCK[/]"
    console.print(f"{word} {case.case_id or ''} at {case.now:%Y-%m-%d %H:%M:%S} UTC")
    if decision.place is not None:
        place = decision.place
        console.print(f"  jurisdictions {', '.join(sorted(place.jurisdictions)) or 'none'}")
        local = [f"{zone} {case.now.astimezone(ZoneInfo(zone)):%a %H:%M:%S}" for zone in sorted(place.zones)]
        console.print(f"  local time    {', '.join(local) or 'unknown'}")
        recording = recording_of([case.facts], place, place.jurisdictions, case.now, pack)
        shown = shown_of([case.facts], place, case.now, pack)
        console.print(f"  recording     {recording.asks.value.lower()} ({', '.join(recording.rule_ids)}), callee's end")
        console.print(f"  number shown  {_prefixes(shown.prefixes)} ({', '.join(shown.rule_ids) or 'no rule'})")
    if not decision.allowed:
        at = decision.next_allowed_at
        console.print(f"  next allowed  {at:%Y-%m-%d %H:%M:%S} UTC" if at else "  next allowed  not within 60 days")
    console.print(_table(case, decision, pack))
    console.print(f"rule pack {pack.version}, tzdata {pack.tzdata}. {NOT_LEGAL_ADVICE}\n", style="dim")


def _table(case: Case, decision: Decision, pack: RulePack) -> Table:
    table = Table(
        "",
        Column("rule", no_wrap=True),
        "asks for",
        "basis",
        "citation",
        box=box.SIMPLE,
        show_edge=False,
        pad_edge=False,
    )
    failed = dict[str, list[str]]()
    for reason, rule_id in sorted(decision.failures):
        failed.setdefault(rule_id, []).append(reason.value)
    for rule_id, asks, basis, citation in sorted(_rows(case, decision, pack), key=lambda row: row[0] not in failed):
        mark = f"[red]{', '.join(failed[rule_id])}[/]" if rule_id in failed else "[green]holds[/]"
        table.add_row(mark, rule_id, asks, basis, citation)
    return table


def _rows(case: Case, decision: Decision, pack: RulePack) -> Iterator[tuple[str, str, str, str]]:
    reached = gate(case.facts, pack)
    if isinstance(reached, Stop):
        for rule_id in decision.rule_ids:
            yield rule_id, GATES.get(rule_id, ""), "", "RULES.md 3"
        return
    for rule in reached[1]:
        origin = rule.origin
        yield rule.rule_id, asks_for(rule), f"{origin.basis} {origin.confidence}", origin.citation
    yield INTERNAL_DNC, GATES[INTERNAL_DNC], "LAW", "47 CFR 64.1200(d) and the like; RULES.md 5.5"
    if case.facts.suspensions:
        yield SUSPENSION, GATES[SUSPENSION], "LAW", "N.Y. Gen. Bus. Law 399-z(5-a); RULES.md 5.2"


def _prefixes(prefixes: tuple[str, ...] | None) -> str:
    if prefixes is None:
        return "any that can be called back"
    return f"begins with {' or '.join(prefixes)}" if prefixes else "none"


def asks_for(rule: PackRow) -> str:
    """What a row asks for, in a line."""
    match rule:
        case WindowRule():
            days = [
                f"{DAYS[day]} {' and '.join(f'{o:%H:%M}-{c:%H:%M}' for o, c in spans)}"
                for day, spans in sorted(rule.windows.items())
            ]
            banned = f"; no calls on holidays of {rule.holidays.name}" if rule.holidays else ""
            return _short(days) + banned
        case ConsentRule():
            return f"a valid consent of level {rule.level.value.lower()}"
        case CapRule():
            window = f"{rule.window_days} local days" if rule.window_days else f"{rule.window_hours} h"
            same = ", ".join(sorted(rule.same))
            return f"fewer than {rule.max_attempts} attempts in {window} (same {same})"
        case CooldownRule():
            wait = f"{rule.wait_days} local days" if rule.wait_days else f"{rule.wait_hours} h"
            return f"{wait} after {', '.join(sorted(o.value.lower() for o in rule.outcomes))}"
        case ListRule():
            return f"not listed, by a copy at most {rule.max_age_days} days old"
        case RecordingDuty():
            return f"before a call is recorded: {rule.asks.value.lower()}"
        case CallerIdRule():
            return f"number shown: {_prefixes(rule.prefixes or None)}"


def _short(days: list[str]) -> str:
    """One span where every day has the same."""
    spans = {day.partition(" ")[2] for day in days}
    return f"daily {spans.pop()}" if len(days) == len(DAYS) and len(spans) == 1 else "; ".join(days)
