"""The drop budget: the pacer counts what the gateways said, they said what callees heard, and it binds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from outdial_contracts.events import CallDial, CallEnded, CallProgress, DialMode, EndClass, ProgressStage, Verdict
from outdial_world.history import Invite
from outdial_world.invariants.facts import Facts
from outdial_world.invariants.violation import Name, Violation

FREE_CALLS = 100
"""formats.md: limit x (humans answered + 100) - spent."""
PACER_KNOWS = timedelta(seconds=3)
TWO_SECONDS = timedelta(seconds=2)
"""47 CFR 64.1200(a)(7)."""
WAY = timedelta(seconds=0.1)
"""Between a gateway's and a callee's clock: the answer's way to the gateway, and back."""
CROSSING = timedelta(seconds=0.5)
"""The longest way of a BYE to the gateway."""


def check(facts: Facts) -> Iterator[Violation]:
    """All of them."""
    humans, abandoned = _humans(facts), _abandoned(facts)
    yield from _binds(facts, humans, abandoned)
    yield from _counted(facts, humans, abandoned)
    yield from _heard(facts)


def _humans(facts: Facts) -> dict[str, datetime]:
    """attempt_id -> when a gateway first said that a person answered."""
    found: dict[str, datetime] = {}
    for record in [*facts.unique(CallProgress), *facts.unique(CallEnded)]:
        event: Any = record.event
        if event.verdict is Verdict.HUMAN and (isinstance(event, CallEnded) or event.stage is ProgressStage.VERDICT):
            found[event.attempt_id] = min(record.at, found.get(event.attempt_id, record.at))
    return found


def _abandoned(facts: Facts) -> dict[str, datetime]:
    """attempt_id -> when a gateway said that a person was abandoned."""
    return {
        record.event.attempt_id: record.at
        for record in facts.unique(CallEnded)
        if isinstance(record.event, CallEnded) and record.event.end_class is EndClass.ABANDONED
    }


def _binds(facts: Facts, humans: dict[str, datetime], abandoned: dict[str, datetime]) -> Iterator[Violation]:
    """With less than one call left, nothing is dialled that has no agent reserved."""
    for record in facts.unique(CallDial):
        dial = record.event
        if not isinstance(dial, CallDial) or dial.dial_mode is not DialMode.PREDICTIVE or dial.agent_id is not None:
            continue
        document = facts.documents.get(dial.campaign_id)
        if document is None:
            continue
        answered = sum(at <= dial.decided_at for at in humans.values())
        dropped = sum(at <= dial.decided_at - PACER_KNOWS for at in abandoned.values())
        left = document.abandon_limit * (answered + FREE_CALLS) - dropped
        since = dial.decided_at - PACER_KNOWS - timedelta(seconds=30)
        if left < 1.0 and not facts.stalled("pacer", since, dial.decided_at):
            detail = f"overdialled with {left:.2f} calls left of the drop budget"
            name = Name.SPENT_BUDGET_STOPS_OVERDIALLING
            yield Violation(name=name, detail=detail, attempt_id=dial.attempt_id, at=dial.decided_at)


def _counted(facts: Facts, humans: dict[str, datetime], abandoned: dict[str, datetime]) -> Iterator[Violation]:
    """At the end, over all campaigns of the team (the world has one legal campaign)."""
    for team_id, state in facts.history.final.teams.items():
        counted = [sum(getattr(b, what) for b in state.budgets.values()) for what in ("humans", "abandoned")]
        true = [len(humans), len(abandoned)]
        if counted != true:
            detail = f"the pacer of {team_id} counts (humans, abandoned) {counted}, the gateways said {true}"
            yield Violation(name=Name.PACER_COUNTS_THE_TRUTH, detail=detail)


def _heard(facts: Facts) -> Iterator[Violation]:
    """Of people who greeted: connected is who then heard somebody within two seconds, abandoned who did not."""
    for attempt_id, ends in facts.ended.items():
        for invite in facts.invites.get(attempt_id, ()):
            if invite.greeted_at is None or invite.orphaned_at is not None:
                continue
            end = ends[0]
            waited = invite.heard_at - invite.greeted_at if invite.heard_at is not None else None
            in_time = waited is not None and waited <= TWO_SECONDS + WAY
            late = waited is None or waited > TWO_SECONDS + WAY
            if end.end_class is EndClass.CONNECTED and late and not _crossed(invite, end):
                detail = "connected by the gateway's word, and the callee heard nobody in time"
            elif end.end_class is EndClass.ABANDONED and in_time and not end.safe_harbour_played:
                detail = "abandoned by the gateway's word, and the callee heard an agent in time"
            else:
                continue
            name = Name.DROPS_ARE_WHAT_CALLEES_HEARD
            yield Violation(name=name, detail=detail, attempt_id=attempt_id, at=end.ended_at)


def _crossed(invite: Invite, end: CallEnded) -> bool:
    """He hung up within his two seconds, and the gateway bridged him before it could know (its clock is the law's)."""
    if invite.end != "callee" or invite.ended_at is None or invite.greeted_at is None:
        return False
    in_time = invite.ended_at <= invite.greeted_at + TWO_SECONDS + WAY
    return in_time and end.ended_at - invite.ended_at <= CROSSING
