"""The life of one call at the called side as one table: (state, event) -> state."""

from enum import StrEnum


class UasState(StrEnum):
    """Where a call stands."""

    ROUTING = "routing"
    ALERTING = "alerting"
    ANSWERED = "answered"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    HANGING_UP = "hanging_up"
    OVER = "over"


class UasEvent(StrEnum):
    """What can happen to a call."""

    ALERT = "alert"
    ANSWER = "answer"
    REJECT = "reject"
    CANCEL = "cancel"
    ACK = "ack"
    BYE = "bye"
    HANG_UP = "hang_up"
    BYE_DONE = "bye_done"
    EXPIRE = "expire"


class IllegalTransition(RuntimeError):
    """A state has no cell for an event; the text names both."""

    def __init__(self, state: UasState, event: UasEvent) -> None:
        super().__init__(f"no transition from {state} on {event}")


_S, _E = UasState, UasEvent
# A CANCEL that crosses our 200 changes nothing (RFC 3261 9.2); a caller may BYE an early dialog (15.1.2).
TRANSITIONS: dict[tuple[UasState, UasEvent], UasState] = {
    (_S.ROUTING, _E.ALERT): _S.ALERTING,
    (_S.ROUTING, _E.ANSWER): _S.ANSWERED,
    (_S.ROUTING, _E.REJECT): _S.REJECTED,
    (_S.ROUTING, _E.CANCEL): _S.REJECTED,
    (_S.ROUTING, _E.BYE): _S.REJECTED,
    (_S.ROUTING, _E.ACK): _S.ROUTING,
    (_S.ALERTING, _E.ANSWER): _S.ANSWERED,
    (_S.ALERTING, _E.REJECT): _S.REJECTED,
    (_S.ALERTING, _E.CANCEL): _S.REJECTED,
    (_S.ALERTING, _E.BYE): _S.REJECTED,
    (_S.ALERTING, _E.ACK): _S.ALERTING,
    (_S.ANSWERED, _E.ACK): _S.CONFIRMED,
    (_S.ANSWERED, _E.CANCEL): _S.ANSWERED,
    (_S.ANSWERED, _E.BYE): _S.OVER,
    (_S.ANSWERED, _E.HANG_UP): _S.ANSWERED,
    (_S.ANSWERED, _E.EXPIRE): _S.HANGING_UP,
    (_S.CONFIRMED, _E.ACK): _S.CONFIRMED,
    (_S.CONFIRMED, _E.CANCEL): _S.CONFIRMED,
    (_S.CONFIRMED, _E.BYE): _S.OVER,
    (_S.CONFIRMED, _E.HANG_UP): _S.HANGING_UP,
    (_S.REJECTED, _E.ACK): _S.OVER,
    (_S.REJECTED, _E.CANCEL): _S.REJECTED,
    (_S.REJECTED, _E.BYE): _S.REJECTED,
    (_S.REJECTED, _E.EXPIRE): _S.OVER,
    (_S.HANGING_UP, _E.ACK): _S.HANGING_UP,
    (_S.HANGING_UP, _E.CANCEL): _S.HANGING_UP,
    (_S.HANGING_UP, _E.BYE): _S.OVER,
    (_S.HANGING_UP, _E.BYE_DONE): _S.OVER,
    (_S.OVER, _E.ACK): _S.OVER,
    (_S.OVER, _E.CANCEL): _S.OVER,
    (_S.OVER, _E.BYE): _S.OVER,
    (_S.OVER, _E.BYE_DONE): _S.OVER,
}


def advance(state: UasState, event: UasEvent) -> UasState:
    """The next state. Raises IllegalTransition."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None
