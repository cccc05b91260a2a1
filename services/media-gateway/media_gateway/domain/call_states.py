"""The states of one attempt on this gateway, and the only moves between them."""

from enum import StrEnum


class CallState(StrEnum):
    """Where an attempt stands."""

    REDEEMING = "redeeming"
    INVITED = "invited"
    ALERTING = "alerting"
    CANCELLING = "cancelling"
    LISTENING = "listening"
    ASSIGNING = "assigning"
    BRIDGED = "bridged"
    SAFE_HARBOUR = "safe_harbour"
    HANGING_UP = "hanging_up"
    ENDED = "ended"


class CallMove(StrEnum):
    """What happened to it."""

    GRANTED = "granted"
    NOT_GRANTED = "not_granted"
    ALERTED = "alerted"
    RING_OVER = "ring_over"
    ANSWERED = "answered"
    HUMAN = "human"
    NOT_HUMAN = "not_human"
    CLAIMED = "claimed"
    AGENT_GONE = "agent_gone"
    """Before the callee heard anything of him."""
    NOBODY = "nobody"
    MESSAGE_OVER = "message_over"
    HANG_UP = "hang_up"
    OVER = "over"


S, M = CallState, CallMove
MOVES: dict[tuple[CallState, CallMove], CallState] = {
    (S.REDEEMING, M.GRANTED): S.INVITED,
    (S.REDEEMING, M.NOT_GRANTED): S.ENDED,
    (S.INVITED, M.ALERTED): S.ALERTING,
    (S.INVITED, M.RING_OVER): S.CANCELLING,
    (S.INVITED, M.ANSWERED): S.LISTENING,
    (S.INVITED, M.OVER): S.ENDED,
    (S.ALERTING, M.ALERTED): S.ALERTING,
    (S.ALERTING, M.RING_OVER): S.CANCELLING,
    (S.ALERTING, M.ANSWERED): S.LISTENING,
    (S.ALERTING, M.OVER): S.ENDED,
    (S.CANCELLING, M.ANSWERED): S.HANGING_UP,
    (S.CANCELLING, M.OVER): S.ENDED,
    (S.LISTENING, M.HUMAN): S.ASSIGNING,
    (S.LISTENING, M.NOT_HUMAN): S.HANGING_UP,
    (S.LISTENING, M.HANG_UP): S.HANGING_UP,
    (S.LISTENING, M.OVER): S.ENDED,
    (S.ASSIGNING, M.CLAIMED): S.BRIDGED,
    (S.ASSIGNING, M.NOBODY): S.SAFE_HARBOUR,
    (S.ASSIGNING, M.HANG_UP): S.HANGING_UP,
    (S.ASSIGNING, M.OVER): S.ENDED,
    (S.BRIDGED, M.AGENT_GONE): S.ASSIGNING,
    (S.BRIDGED, M.HANG_UP): S.HANGING_UP,
    (S.BRIDGED, M.OVER): S.ENDED,
    (S.SAFE_HARBOUR, M.MESSAGE_OVER): S.HANGING_UP,
    (S.SAFE_HARBOUR, M.HANG_UP): S.HANGING_UP,
    (S.SAFE_HARBOUR, M.OVER): S.ENDED,
    (S.HANGING_UP, M.OVER): S.ENDED,
}


class ImpossibleMove(Exception):
    """The table has no such cell."""


def move(state: CallState, what: CallMove) -> CallState:
    """The next state. Raises ImpossibleMove naming both when the table has no cell."""
    try:
        return MOVES[state, what]
    except KeyError:
        raise ImpossibleMove(f"a call that is {state} cannot see {what}") from None
