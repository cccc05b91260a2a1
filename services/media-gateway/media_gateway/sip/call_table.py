"""The state tables of the two kinds of call; call.py and call_incoming.py act them out."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from media_gateway.sip.errors import LocalProtocolError


class CallState(StrEnum):
    """An outgoing call."""

    CALLING = "calling"  # an INVITE is out, nothing came back
    PROCEEDING = "proceeding"  # a provisional response came: a CANCEL may be sent
    CANCEL_WANTED = "cancel_wanted"  # cancelled before any provisional: the CANCEL waits for one (RFC 3261 section 9.1)
    CANCELLING = "cancelling"  # the CANCEL is out, the INVITE's final response is not in
    ESTABLISHED = "established"
    ENDING = "ending"  # our BYE is out
    ENDED = "ended"


class CallInput(StrEnum):
    """What happens to an outgoing call."""

    PROVISIONAL = "provisional"
    ANSWER = "answer"  # the first 2xx
    BAD_ANSWER = "bad_answer"  # the first 2xx, without a description we can use
    REPEATED_ANSWER = "repeated_answer"  # the same 2xx again: our ACK was lost
    OTHER_ANSWER = "other_answer"  # a 2xx of another fork, of an older INVITE, or after the end
    CHALLENGE = "challenge"  # a 401 or 407 that we can answer
    REJECTION = "rejection"
    NO_RESPONSE = "no_response"  # timer B, or the socket refused
    LOCAL_END = "local_end"
    REMOTE_BYE = "remote_bye"
    BYE_CHALLENGE = "bye_challenge"
    BYE_DONE = "bye_done"
    GIVE_UP = "give_up"  # no final response within 64 × T1 of our CANCEL


class CallAction(StrEnum):
    """What a cell asks for besides the next state."""

    NOTE = "note"  # time the provisional and tell the user
    AUTHORIZE = "authorize"  # the INVITE again with credentials
    CANCEL = "cancel"
    ACK = "ack"
    ANSWERED = "answered"
    REJECTED = "rejected"
    FAILED = "failed"
    BYE = "bye"
    BYE_AGAIN = "bye_again"
    ENDED_HUNG_UP = "ended_hung_up"
    ENDED_CROSSED = "ended_crossed"
    ENDED_BAD_ANSWER = "ended_bad_answer"
    ENDED_REMOTE = "ended_remote"
    ENDED_GAVE_UP = "ended_gave_up"
    DROP_FORK = "drop_fork"  # ACK and BYE on that other dialog


_S, _I, _A = CallState, CallInput, CallAction
_DROP = (_A.ACK, _A.BYE)
CALL_TABLE: Mapping[tuple[CallState, CallInput], tuple[CallState, tuple[CallAction, ...]]] = {
    (_S.CALLING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.NOTE,)),
    (_S.CALLING, _I.ANSWER): (_S.ESTABLISHED, (_A.ACK, _A.ANSWERED)),
    (_S.CALLING, _I.OTHER_ANSWER): (_S.CALLING, (_A.DROP_FORK,)),
    (_S.CALLING, _I.BAD_ANSWER): (_S.ENDING, (*_DROP, _A.ENDED_BAD_ANSWER)),
    (_S.CALLING, _I.CHALLENGE): (_S.CALLING, (_A.AUTHORIZE,)),
    (_S.CALLING, _I.REJECTION): (_S.ENDED, (_A.REJECTED,)),
    (_S.CALLING, _I.NO_RESPONSE): (_S.ENDED, (_A.FAILED,)),
    (_S.CALLING, _I.LOCAL_END): (_S.CANCEL_WANTED, ()),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.NOTE,)),
    (_S.PROCEEDING, _I.ANSWER): (_S.ESTABLISHED, (_A.ACK, _A.ANSWERED)),
    (_S.PROCEEDING, _I.OTHER_ANSWER): (_S.PROCEEDING, (_A.DROP_FORK,)),
    (_S.PROCEEDING, _I.BAD_ANSWER): (_S.ENDING, (*_DROP, _A.ENDED_BAD_ANSWER)),
    (_S.PROCEEDING, _I.CHALLENGE): (_S.CALLING, (_A.AUTHORIZE,)),
    (_S.PROCEEDING, _I.REJECTION): (_S.ENDED, (_A.REJECTED,)),
    (_S.PROCEEDING, _I.LOCAL_END): (_S.CANCELLING, (_A.CANCEL,)),
    (_S.CANCEL_WANTED, _I.PROVISIONAL): (_S.CANCELLING, (_A.NOTE, _A.CANCEL)),
    (_S.CANCEL_WANTED, _I.ANSWER): (_S.ENDING, (*_DROP, _A.ANSWERED, _A.ENDED_CROSSED)),
    (_S.CANCEL_WANTED, _I.OTHER_ANSWER): (_S.CANCEL_WANTED, (_A.DROP_FORK,)),
    (_S.CANCEL_WANTED, _I.BAD_ANSWER): (_S.ENDING, (*_DROP, _A.ENDED_CROSSED)),
    (_S.CANCEL_WANTED, _I.CHALLENGE): (_S.ENDED, (_A.REJECTED,)),  # nobody wants the call any more: no retry
    (_S.CANCEL_WANTED, _I.REJECTION): (_S.ENDED, (_A.REJECTED,)),
    (_S.CANCEL_WANTED, _I.NO_RESPONSE): (_S.ENDED, (_A.FAILED,)),
    (_S.CANCEL_WANTED, _I.LOCAL_END): (_S.CANCEL_WANTED, ()),
    (_S.CANCELLING, _I.PROVISIONAL): (_S.CANCELLING, (_A.NOTE,)),
    (_S.CANCELLING, _I.ANSWER): (_S.ENDING, (*_DROP, _A.ANSWERED, _A.ENDED_CROSSED)),
    (_S.CANCELLING, _I.OTHER_ANSWER): (_S.CANCELLING, (_A.DROP_FORK,)),
    (_S.CANCELLING, _I.BAD_ANSWER): (_S.ENDING, (*_DROP, _A.ENDED_CROSSED)),
    (_S.CANCELLING, _I.CHALLENGE): (_S.ENDED, (_A.REJECTED,)),
    (_S.CANCELLING, _I.REJECTION): (_S.ENDED, (_A.REJECTED,)),
    (_S.CANCELLING, _I.LOCAL_END): (_S.CANCELLING, ()),
    (_S.CANCELLING, _I.GIVE_UP): (_S.ENDED, (_A.ENDED_GAVE_UP,)),
    (_S.ESTABLISHED, _I.REPEATED_ANSWER): (_S.ESTABLISHED, (_A.ACK,)),
    (_S.ESTABLISHED, _I.OTHER_ANSWER): (_S.ESTABLISHED, (_A.DROP_FORK,)),
    (_S.ESTABLISHED, _I.LOCAL_END): (_S.ENDING, (_A.BYE, _A.ENDED_HUNG_UP)),
    (_S.ESTABLISHED, _I.REMOTE_BYE): (_S.ENDED, (_A.ENDED_REMOTE,)),
    (_S.ENDING, _I.REPEATED_ANSWER): (_S.ENDING, (_A.ACK,)),
    (_S.ENDING, _I.OTHER_ANSWER): (_S.ENDING, (_A.DROP_FORK,)),
    (_S.ENDING, _I.LOCAL_END): (_S.ENDING, ()),
    (_S.ENDING, _I.REMOTE_BYE): (_S.ENDING, ()),  # two BYEs crossed
    (_S.ENDING, _I.BYE_CHALLENGE): (_S.ENDING, (_A.BYE_AGAIN,)),
    (_S.ENDING, _I.BYE_DONE): (_S.ENDED, ()),
    (_S.ENDED, _I.PROVISIONAL): (_S.ENDED, ()),
    (_S.ENDED, _I.REJECTION): (_S.ENDED, ()),  # the 487 to a CANCEL given up long ago
    (_S.ENDED, _I.CHALLENGE): (_S.ENDED, ()),
    (_S.ENDED, _I.NO_RESPONSE): (_S.ENDED, ()),
    (_S.ENDED, _I.REPEATED_ANSWER): (_S.ENDED, (_A.ACK,)),
    (_S.ENDED, _I.OTHER_ANSWER): (_S.ENDED, (_A.DROP_FORK,)),
    (_S.ENDED, _I.LOCAL_END): (_S.ENDED, ()),
    (_S.ENDED, _I.REMOTE_BYE): (_S.ENDED, ()),
}


class IncomingState(StrEnum):
    """An incoming call of an agent's phone, already authenticated."""

    OFFERED = "offered"
    ACCEPTED = "accepted"  # our 200 is out, its ACK is not in
    HANG_UP_WANTED = "hang_up_wanted"  # a callee may not send BYE before the ACK (RFC 3261 section 15)
    ESTABLISHED = "established"
    ENDING = "ending"
    ENDED = "ended"


class IncomingInput(StrEnum):
    """What happens to an incoming call."""

    ACCEPT = "accept"
    ACK = "ack"
    CANCEL = "cancel"
    LOCAL_END = "local_end"
    REMOTE_BYE = "remote_bye"
    ACK_TIMEOUT = "ack_timeout"
    BYE_DONE = "bye_done"


class IncomingAction(StrEnum):
    """What a cell asks for besides the next state."""

    ACCEPT = "accept"
    CONNECTED = "connected"
    DECLINE = "decline"  # the given status to the INVITE
    TERMINATE = "terminate"  # 487 to the INVITE
    BYE = "bye"
    ENDED_HUNG_UP = "ended_hung_up"
    ENDED_REMOTE = "ended_remote"
    ENDED_UNACKNOWLEDGED = "ended_unacknowledged"


_N, _J, _B = IncomingState, IncomingInput, IncomingAction
INCOMING_TABLE: Mapping[tuple[IncomingState, IncomingInput], tuple[IncomingState, tuple[IncomingAction, ...]]] = {
    (_N.OFFERED, _J.ACCEPT): (_N.ACCEPTED, (_B.ACCEPT,)),
    (_N.OFFERED, _J.ACK): (_N.OFFERED, ()),
    (_N.OFFERED, _J.CANCEL): (_N.ENDED, (_B.TERMINATE,)),
    (_N.OFFERED, _J.LOCAL_END): (_N.ENDED, (_B.DECLINE,)),
    (_N.OFFERED, _J.REMOTE_BYE): (_N.ENDED, (_B.TERMINATE,)),
    (_N.ACCEPTED, _J.ACK): (_N.ESTABLISHED, (_B.CONNECTED,)),
    (_N.ACCEPTED, _J.CANCEL): (_N.ACCEPTED, ()),  # too late: the peer will ACK and BYE
    (_N.ACCEPTED, _J.LOCAL_END): (_N.HANG_UP_WANTED, ()),
    (_N.ACCEPTED, _J.REMOTE_BYE): (_N.ENDED, (_B.ENDED_REMOTE,)),
    (_N.ACCEPTED, _J.ACK_TIMEOUT): (_N.ENDING, (_B.BYE, _B.ENDED_UNACKNOWLEDGED)),
    (_N.HANG_UP_WANTED, _J.ACK): (_N.ENDING, (_B.BYE, _B.ENDED_HUNG_UP)),
    (_N.HANG_UP_WANTED, _J.CANCEL): (_N.HANG_UP_WANTED, ()),
    (_N.HANG_UP_WANTED, _J.LOCAL_END): (_N.HANG_UP_WANTED, ()),
    (_N.HANG_UP_WANTED, _J.REMOTE_BYE): (_N.ENDED, (_B.ENDED_REMOTE,)),
    (_N.HANG_UP_WANTED, _J.ACK_TIMEOUT): (_N.ENDING, (_B.BYE, _B.ENDED_UNACKNOWLEDGED)),
    (_N.ESTABLISHED, _J.ACK): (_N.ESTABLISHED, ()),
    (_N.ESTABLISHED, _J.CANCEL): (_N.ESTABLISHED, ()),
    (_N.ESTABLISHED, _J.LOCAL_END): (_N.ENDING, (_B.BYE, _B.ENDED_HUNG_UP)),
    (_N.ESTABLISHED, _J.REMOTE_BYE): (_N.ENDED, (_B.ENDED_REMOTE,)),
    (_N.ESTABLISHED, _J.ACK_TIMEOUT): (_N.ENDING, (_B.BYE, _B.ENDED_UNACKNOWLEDGED)),  # of a re-INVITE
    (_N.ENDING, _J.ACK): (_N.ENDING, ()),
    (_N.ENDING, _J.CANCEL): (_N.ENDING, ()),
    (_N.ENDING, _J.LOCAL_END): (_N.ENDING, ()),
    (_N.ENDING, _J.REMOTE_BYE): (_N.ENDING, ()),
    (_N.ENDING, _J.BYE_DONE): (_N.ENDED, ()),
    (_N.ENDED, _J.ACK): (_N.ENDED, ()),
    (_N.ENDED, _J.CANCEL): (_N.ENDED, ()),
    (_N.ENDED, _J.LOCAL_END): (_N.ENDED, ()),
    (_N.ENDED, _J.REMOTE_BYE): (_N.ENDED, ()),
}

StateT = TypeVar("StateT", bound=StrEnum)
InputT = TypeVar("InputT", bound=StrEnum)
ActionT = TypeVar("ActionT", bound=StrEnum)


def look_up(
    table: Mapping[tuple[StateT, InputT], tuple[StateT, tuple[ActionT, ...]]], state: StateT, event: InputT
) -> tuple[StateT, tuple[ActionT, ...]]:
    """The cell of a table.

    Raises:
        LocalProtocolError: there is none; names both.
    """
    cell = table.get((state, event))
    if cell is None:
        raise LocalProtocolError(f"a call has no cell for {event} in {state}")
    return cell
