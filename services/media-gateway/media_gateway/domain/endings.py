"""Why a call ended: the normalised class, and where the fault or the choice for it lies.

Sources: RFC 3261 section 21 and RFC 8688 (607, 608) for SIP; ITU-T Q.850 (05/2018) table 1 for causes; RFC 3398
section 8.2.6.1 for the pairs of both. A Q.850 cause from a Reason header says more than the status and wins.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from outdial_contracts.events import EndClass, Fault, Verdict

ABANDON_LIMIT = timedelta(seconds=2)
"""47 CFR 64.1200(a)(7): a person is connected within two seconds of the completed greeting, or abandoned."""

_BY_STATUS: dict[int, tuple[EndClass, Fault]] = {
    401: (EndClass.NETWORK_FAILED, Fault.US),
    403: (EndClass.NETWORK_FAILED, Fault.CARRIER),
    404: (EndClass.NOT_IN_SERVICE, Fault.US),
    407: (EndClass.NETWORK_FAILED, Fault.US),
    408: (EndClass.NO_ANSWER, Fault.CALLEE),
    410: (EndClass.NOT_IN_SERVICE, Fault.US),
    480: (EndClass.NO_ANSWER, Fault.CALLEE),
    484: (EndClass.NOT_IN_SERVICE, Fault.US),
    486: (EndClass.BUSY, Fault.CALLEE),
    488: (EndClass.NETWORK_FAILED, Fault.US),
    503: (EndClass.CONGESTION, Fault.CARRIER),
    600: (EndClass.BUSY, Fault.CALLEE),
    603: (EndClass.DECLINED, Fault.CALLEE),
    604: (EndClass.NOT_IN_SERVICE, Fault.US),
    607: (EndClass.DECLINED, Fault.CALLEE),
    608: (EndClass.DECLINED, Fault.CARRIER),
}
_BY_CAUSE: dict[int, tuple[EndClass, Fault]] = {
    1: (EndClass.NOT_IN_SERVICE, Fault.US),
    17: (EndClass.BUSY, Fault.CALLEE),
    18: (EndClass.NO_ANSWER, Fault.CALLEE),
    19: (EndClass.NO_ANSWER, Fault.CALLEE),
    21: (EndClass.DECLINED, Fault.CALLEE),
    22: (EndClass.NOT_IN_SERVICE, Fault.US),
    28: (EndClass.NOT_IN_SERVICE, Fault.US),
    34: (EndClass.CONGESTION, Fault.CARRIER),
    38: (EndClass.NETWORK_FAILED, Fault.CARRIER),
    41: (EndClass.CONGESTION, Fault.CARRIER),
    42: (EndClass.CONGESTION, Fault.CARRIER),
    44: (EndClass.CONGESTION, Fault.CARRIER),
}
_STATUS_TO_CAUSE = {404: 1, 410: 22, 480: 18, 484: 28, 486: 17, 503: 42, 600: 17, 603: 21, 604: 1, 408: 102}
_NOT_HUMAN = {
    Verdict.MACHINE: EndClass.MACHINE,
    Verdict.FAX: EndClass.FAX,
    Verdict.SILENCE: EndClass.DEAD_AIR,
}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """A call's end in our words."""

    end_class: EndClass
    fault: Fault
    hung_up_by: Fault


@dataclass(frozen=True, kw_only=True)
class EndFacts:
    """What is known when a call is over. Times are aware UTC; None where it never came to that."""

    status: int | None
    q850_cause: int | None
    ended_by_peer: bool
    answered_at: datetime | None = None
    ended_at: datetime
    bridged_at: datetime | None = None
    greeting_ended_at: datetime | None = None
    verdict: Verdict | None = None
    early_class: EndClass | None = None
    """What early media said before the answer: an intercept, a busy or a congestion tone."""
    ring_timed_out: bool = False
    cancelled: bool = False
    """We gave the call up before its answer for another reason than the ring time."""
    crossed: bool = False
    """The answer crossed our CANCEL."""
    safe_harbour: bool = False
    agent_hung_up: bool = False


def ending_of(facts: EndFacts) -> Ending:
    """The class, the fault and who hung up."""
    if facts.crossed:
        return Ending(end_class=EndClass.ABANDONED, fault=Fault.US, hung_up_by=Fault.US)
    if facts.answered_at is not None:
        return _after_answer(facts)
    if facts.ring_timed_out and facts.early_class is None:
        return Ending(end_class=EndClass.NO_ANSWER, fault=Fault.CALLEE, hung_up_by=Fault.US)
    if facts.cancelled and facts.early_class is None:
        return Ending(end_class=EndClass.CANCELLED, fault=Fault.US, hung_up_by=Fault.US)
    by = Fault.CARRIER if facts.ended_by_peer else Fault.US
    end_class, fault = _refusal(facts)
    return Ending(end_class=end_class, fault=fault, hung_up_by=by)


def cause_of(status: int | None, q850_cause: int | None) -> int | None:
    """The Q.850 cause: the carrier's own, else the one RFC 3398 pairs with the status."""
    return q850_cause if q850_cause is not None else _STATUS_TO_CAUSE.get(status or 0)


def _refusal(facts: EndFacts) -> tuple[EndClass, Fault]:
    if facts.early_class is not None:
        faults = {EndClass.BUSY: Fault.CALLEE, EndClass.NOT_IN_SERVICE: Fault.US}
        return facts.early_class, faults.get(facts.early_class, Fault.CARRIER)
    if facts.q850_cause in _BY_CAUSE:
        return _BY_CAUSE[facts.q850_cause]
    if facts.status is None:
        return EndClass.UNKNOWN, Fault.CARRIER
    return _BY_STATUS.get(facts.status, (EndClass.NETWORK_FAILED, Fault.CARRIER))


def _after_answer(facts: EndFacts) -> Ending:
    by = Fault.CALLEE if facts.ended_by_peer else Fault.AGENT if facts.agent_hung_up else Fault.US
    if facts.bridged_at is not None:
        late = facts.greeting_ended_at is not None and facts.bridged_at - facts.greeting_ended_at > ABANDON_LIMIT
        end_class = EndClass.ABANDONED if late else EndClass.CONNECTED
        return Ending(end_class=end_class, fault=Fault.US if late else by, hung_up_by=by)
    if facts.verdict in _NOT_HUMAN:
        return Ending(end_class=_NOT_HUMAN[facts.verdict], fault=Fault.CALLEE, hung_up_by=by)
    if facts.ended_by_peer and not facts.safe_harbour and not _waited_too_long(facts):
        return Ending(end_class=EndClass.CALLEE_HUNG_UP, fault=Fault.CALLEE, hung_up_by=by)
    return Ending(end_class=EndClass.ABANDONED, fault=Fault.US, hung_up_by=by)


def _waited_too_long(facts: EndFacts) -> bool:
    return facts.greeting_ended_at is not None and facts.ended_at - facts.greeting_ended_at > ABANDON_LIMIT
