"""Why a call ended: the normalised class, and where the fault or the choice for it lies.

Sources: RFC 3261 section 21, RFC 8197 (607) and RFC 8688 (608) for SIP; ITU-T Q.850 (05/2018) table 1 for causes; RFC
3398 section 8.2.6.1 for the pairs of both. A Q.850 cause from a Reason header says more than the status and wins; a
tone heard before the answer wins over a status that could mean anything.
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
_STATUS_TO_CAUSE = {
    **dict.fromkeys((400, 481, 500, 503), 41),
    **dict.fromkeys((401, 402, 403, 407, 603), 21),
    **dict.fromkeys((404, 485, 604), 1),
    **dict.fromkeys((413, 414, 416, 420, 421, 423, 505, 513), 127),
    **dict.fromkeys((405,), 63),
    **dict.fromkeys((406, 415, 501), 79),
    **dict.fromkeys((408, 504), 102),
    **dict.fromkeys((482, 483), 25),
    **dict.fromkeys((486, 600), 17),
    410: 22,
    480: 18,
    484: 28,
    502: 38,
}
_DEFINITE = frozenset({404, 410, 484, 486, 600, 603, 604, 607, 608})
"""Statuses that say what is the matter; the others yield to a tone heard before them."""
_CANCELLED = (None, 487)
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
    """What is known of a call, filled as it goes on. Times are aware UTC; None where it never came to that."""

    ended_at: datetime
    """Only meaningful once the call is over."""
    status: int | None = None
    q850_cause: int | None = None
    """From the carrier's Reason header."""
    ended_by_peer: bool = False
    no_response: bool = False
    """Timer B: nothing at all came back, so nobody knows whether a phone rang."""
    invited_at: datetime | None = None
    alerting_at: datetime | None = None
    answered_at: datetime | None = None
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
    if facts.no_response:
        return Ending(end_class=EndClass.UNKNOWN, fault=Fault.CARRIER, hung_up_by=Fault.UNKNOWN)
    if facts.early_class is None and facts.status in _CANCELLED and facts.ring_timed_out:
        return Ending(end_class=EndClass.NO_ANSWER, fault=Fault.CALLEE, hung_up_by=Fault.US)
    if facts.early_class is None and facts.status in _CANCELLED and facts.cancelled:
        return Ending(end_class=EndClass.CANCELLED, fault=Fault.US, hung_up_by=Fault.US)
    end_class, fault = _refusal(facts)
    refused_by = Fault.CALLEE if fault is Fault.CALLEE else Fault.CARRIER
    return Ending(end_class=end_class, fault=fault, hung_up_by=refused_by if facts.ended_by_peer else Fault.US)


def cause_of(status: int | None, q850_cause: int | None) -> int | None:
    """The Q.850 cause: the carrier's own, else the one RFC 3398 pairs with the status."""
    return q850_cause if q850_cause is not None else _STATUS_TO_CAUSE.get(status or 0)


def _refusal(facts: EndFacts) -> tuple[EndClass, Fault]:
    if facts.q850_cause in _BY_CAUSE:
        return _BY_CAUSE[facts.q850_cause]
    if facts.early_class is not None and facts.status not in _DEFINITE:
        faults = {EndClass.BUSY: Fault.CALLEE, EndClass.NOT_IN_SERVICE: Fault.US}
        return facts.early_class, faults.get(facts.early_class, Fault.CARRIER)
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
