"""Counting what happened from carrier.jsonl alone, so that a stranger can check the dialer's books.

Call-ID = `{attempt_id}.{leg_no}@host`. A second Call-ID of an attempt is a duplicate when an earlier one had already
rung (180 or 183) or been answered. People are the kinds human and hangup (a person who hangs up at once).
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outdial_sim.callees import PEOPLE
from outdial_sim.journal import read
from outdial_sim.scenario import Kind

CHALLENGES = (401, 407)


@dataclass(frozen=True, kw_only=True)
class Recount:
    """Totals of one carrier journal; times are seconds."""

    attempts: int
    initial_invites: int
    duplicate_invites: int
    rang_twice: int
    humans_answered: int
    answered: int
    answered_by_kind: dict[str, int]
    invited_by_kind: dict[str, int]
    finals: dict[str, int]
    humans_who_heard_audio: int
    hung_up_by_callee: dict[str, int]
    answer_to_audio_seconds: dict[str, float | int | None]
    max_concurrent: int
    malformed: int


@dataclass
class _Call:
    attempt_id: str
    kind: str
    invited_at: float
    rang_at: float | None = None
    answered_at: float | None = None
    greeting_ended_at: float | None = None
    heard_at: float | None = None
    started_at: float | None = None
    over_at: float | None = None
    final: int | None = None
    hung_up: str | None = None


@dataclass
class _Tally:
    calls: dict[str, _Call] = field(default_factory=dict)
    malformed: int = 0

    def add(self, line: dict[str, Any]) -> None:
        """Take one line of the journal."""
        if line.get("event") == "malformed":
            self.malformed += 1
        elif line.get("event") == "initial_invite":
            self.calls.setdefault(
                line["call_id"], _Call(attempt_of(line["call_id"]), line["callee_kind"], float(line["t"]))
            )
        elif line.get("call_id") in self.calls:
            call = self.calls[line["call_id"]]
            if "event" in line:
                _on_event(call, line)
            elif line["dir"] == "out" and "status" in line and line["cseq_method"] == "INVITE":
                _on_status(call, int(line["status"]), float(line["t"]))


def recount(path: Path) -> Recount:
    """Count a journal file. Raises OSError, or ValueError for a broken line."""
    return count(read(path))


def count(lines: list[dict[str, Any]]) -> Recount:
    """Count decoded lines in the order in which they were written."""
    tally = _Tally()
    for line in lines:
        tally.add(line)
    calls = list(tally.calls.values())
    answered = [call for call in calls if call.answered_at is not None]
    people = [call for call in answered if call.kind in PEOPLE]
    return Recount(
        attempts=len({call.attempt_id for call in calls}),
        initial_invites=len(calls),
        duplicate_invites=_duplicates(calls),
        rang_twice=sum(rings > 1 for rings in _rings(calls).values()),
        humans_answered=len(people),
        answered=len(answered),
        answered_by_kind=dict(sorted(Counter(call.kind for call in answered).items())),
        invited_by_kind=dict(sorted(Counter(call.kind for call in calls).items())),
        finals=dict(sorted(Counter(str(call.final) for call in calls).items())),
        humans_who_heard_audio=sum(call.heard_at is not None for call in people),
        hung_up_by_callee=dict(sorted(Counter(call.hung_up for call in calls if call.hung_up).items())),
        answer_to_audio_seconds=_waits(people),
        max_concurrent=_max_concurrent(calls),
        malformed=tally.malformed,
    )


def attempt_of(call_id: str) -> str:
    """The attempt_id of a Call-ID `{attempt_id}.{leg_no}@host`; a foreign Call-ID counts as an attempt of its own."""
    local = call_id.partition("@")[0]
    return local.rpartition(".")[0] or local


def _on_event(call: _Call, line: dict[str, Any]) -> None:
    t = float(line["t"])
    match line["event"]:
        case "greeting_end":
            call.greeting_ended_at = call.greeting_ended_at or t
        case "heard_audio":
            call.heard_at = call.heard_at or t
        case "hung_up":
            call.hung_up = str(line.get("reason"))
        case "call_over":
            call.over_at = t


def _on_status(call: _Call, status: int, t: float) -> None:
    if status in CHALLENGES:
        return
    call.started_at = call.started_at if call.started_at is not None else t
    if status in (180, 183):
        call.rang_at = call.rang_at or t
    elif 200 <= status < 300 and call.answered_at is None:
        call.answered_at = t
    if status >= 200:
        call.final = call.final or status


def _duplicates(calls: list[_Call]) -> int:
    """Attempts with a Call-ID invited after an earlier one rang or was answered."""
    by_attempt: dict[str, list[_Call]] = defaultdict(list)
    for call in calls:
        by_attempt[call.attempt_id].append(call)
    return sum(_rang_before_next(legs) for legs in by_attempt.values())


def _rang_before_next(legs: list[_Call]) -> bool:
    reached: float | None = None
    for leg in sorted(legs, key=lambda leg: leg.invited_at):
        if reached is not None and reached <= leg.invited_at:
            return True
        times = [at for at in (reached, leg.rang_at, leg.answered_at) if at is not None]
        reached = min(times, default=None)
    return False


def _rings(calls: list[_Call]) -> Counter[str]:
    return Counter(
        call.attempt_id
        for call in calls
        if call.kind != Kind.SIT and (call.rang_at is not None or call.answered_at is not None)
    )


def _waits(people: list[_Call]) -> dict[str, float | int | None]:
    """From the end of the greeting to the first audio a person heard from us (early audio counts as 0)."""
    waits = sorted(
        max(0.0, call.heard_at - call.greeting_ended_at)
        for call in people
        if call.heard_at is not None and call.greeting_ended_at is not None
    )
    enough = len(waits) >= 20
    return {
        "n": len(waits),
        "p50": round(waits[len(waits) // 2], 3) if enough else None,
        "p99": round(waits[int(len(waits) * 0.99)], 3) if enough else None,
    }


def _max_concurrent(calls: list[_Call]) -> int:
    """Most calls at once between the first response that is not a challenge and the end."""
    steps = [(call.started_at, 1) for call in calls if call.started_at is not None]
    steps += [(call.over_at, -1) for call in calls if call.started_at is not None and call.over_at is not None]
    most = now = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most
