"""Which part of the gate is shut, and what does not happen while it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from compliance_gate.domain.facts import ListInForce
from compliance_gate.domain.rules import ListRule

UNSIGNED_ALLOWED = 5_000
"""Records that two checkpoints in a row (10 s) may leave unsigned at full load."""


class PartState(StrEnum):
    """How a part stands."""

    OPEN = "open"
    LIMITED = "limited"
    """Some calls are blocked, with a reason of their own; the others go on."""
    SHUT = "shut"
    """Nothing is dialled."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the gate."""

    name: str
    state: PartState
    why: str = ""
    stops: str = ""
    """What does not happen while it is so."""


def restore_part(sentence: str | None) -> Part:
    """`sentence`: why the gate is not ready, or None."""
    if sentence is None:
        return Part(name="restore", state=PartState.OPEN)
    return Part(
        name="restore",
        state=PartState.SHUT,
        why=sentence,
        stops="no offer is decided, Redeem is UNAVAILABLE: no INVITE",
    )


def database_part(failure: str | None) -> Part:
    """`failure`: what the driver raised, or None."""
    if failure is None:
        return Part(name="database", state=PartState.OPEN)
    return Part(
        name="database",
        state=PartState.SHUT,
        why=f"it does not answer ({failure})",
        stops="Redeem and Suppress are UNAVAILABLE, offers and opt-outs wait and come again: no INVITE",
    )


def ledger_part(lengths: Mapping[str, int], signed: Mapping[str, int]) -> Part:
    """Chain -> its records, and those that the last checkpoint covers. Its records share the database's fate."""
    behind = {chain: n - signed.get(chain, 0) for chain, n in lengths.items()}
    late = {chain: n for chain, n in behind.items() if n > UNSIGNED_ALLOWED}
    if not late:
        return Part(name="ledger", state=PartState.OPEN, why=f"{sum(behind.values())} records not yet signed")
    why = "; ".join(f"{chain}: {n} records not signed" for chain, n in sorted(late.items()))
    return Part(name="ledger", state=PartState.LIMITED, why=why, stops="what is not signed is not yet proven")


def lists_part(rules: Sequence[ListRule], in_force: Mapping[str, ListInForce], now: datetime) -> Part:
    """RULES.md 5.6: a list that must be consulted and has no fresh copy blocks the calls in its scope."""
    missing = sorted(rule.rule_id for rule in rules if rule.rule_id not in in_force)
    stale = sorted(
        f"{rule.rule_id} (of {in_force[rule.rule_id].as_of:%Y-%m-%d})"
        for rule in rules
        if rule.rule_id in in_force
        and not timedelta() <= now - in_force[rule.rule_id].as_of <= timedelta(days=rule.max_age_days)
    )
    words = [f"no copy of {', '.join(missing)}" if missing else "", f"too old: {', '.join(stale)}" if stale else ""]
    why = "; ".join(word for word in words if word)
    if not why:
        return Part(name="lists", state=PartState.OPEN)
    stops = "calls that must be scrubbed against them are blocked (SCRUB_MISSING, SCRUB_STALE)"
    return Part(name="lists", state=PartState.LIMITED, why=why, stops=stops)


def stops_part(scopes: Sequence[str]) -> Part:
    """Scopes whose stop button is pressed; `all` shuts the gate."""
    if not scopes:
        return Part(name="stops", state=PartState.OPEN)
    state = PartState.SHUT if "all" in scopes else PartState.LIMITED
    return Part(name="stops", state=state, why=f"pressed: {', '.join(sorted(scopes))}", stops="calls in these scopes")
