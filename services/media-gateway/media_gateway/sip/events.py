"""What the endpoint tells its user. Times are seconds of the monotonic clock that the user passes in as `now`."""

from dataclasses import dataclass, field
from enum import StrEnum

from media_gateway.sip.sdp import SessionDescription
from media_gateway.sip.uri import Address


class EndedBy(StrEnum):
    """Who ended the call."""

    LOCAL = "local"
    REMOTE = "remote"
    NOBODY = "nobody"  # a timer: whether the peer knows of the call is unknown


class EndReason(StrEnum):
    """How the call ended."""

    REJECTED = "rejected"  # a final response of 3xx–6xx; redirects are not followed
    CANCELLED = "cancelled"  # our CANCEL, confirmed by 487
    CANCEL_UNANSWERED = "cancel_unanswered"  # our CANCEL, and no final response within 64 × T1
    CROSSED = "crossed"  # our CANCEL crossed the answer: acknowledged and hung up at once
    HUNG_UP = "hung_up"  # a BYE, ours or theirs
    TIMER_B = "timer_b"  # no response at all: the status is unknown
    NOT_SENT = "not_sent"  # the local socket refused the only INVITE: nobody was called
    BAD_ANSWER = "bad_answer"  # a 200 without usable SDP: acknowledged and hung up at once
    ACK_TIMEOUT = "ack_timeout"  # our 200 was never acknowledged
    WITHDRAWN = "withdrawn"  # an incoming call was cancelled before our answer
    DECLINED = "declined"  # an incoming call was refused by us


class DiscardReason(StrEnum):
    """Why a datagram changed nothing."""

    MALFORMED = "malformed"
    NOT_OURS = "not_ours"  # a response whose topmost Via is not this endpoint
    UNAUTHENTICATED = "unauthenticated"  # a phone with a wrong name or password; it was challenged anew
    UNMATCHED = "unmatched"  # a response or an ACK without transaction or dialog


@dataclass(frozen=True, kw_only=True)
class CallTimes:
    """When each thing happened first, None when it did not: monotonic seconds."""

    invite: float | None = None
    trying: float | None = None
    ringing: float | None = None
    early_media: float | None = None
    answer: float | None = None
    ack: float | None = None
    cancel: float | None = None
    bye: float | None = None
    end: float | None = None


@dataclass(frozen=True, kw_only=True)
class CallEvent:
    """Every event of one call names it."""

    call_id: str


@dataclass(frozen=True, kw_only=True)
class Proceeding(CallEvent):
    """The first 100 (or another 1xx that is neither ringing nor progress)."""

    status: int


@dataclass(frozen=True, kw_only=True)
class Alerting(CallEvent):
    """A 180–189 that says something new; with SDP it is early media. 183 without SDP is progress, not ringing."""

    status: int
    sdp: SessionDescription | None


@dataclass(frozen=True, kw_only=True)
class Answered(CallEvent):
    """The 200, once. `crossed_cancel`: we had cancelled; the call is being hung up and Ended follows."""

    sdp: SessionDescription
    times: CallTimes
    crossed_cancel: bool = False


@dataclass(frozen=True, kw_only=True)
class Ended(CallEvent):
    """The end, once. `status` is None when no final response told; `q850` comes from a Reason header (RFC 3326)."""

    by: EndedBy
    reason: EndReason
    status: int | None = None
    q850: int | None = None
    retry_after_seconds: int | None = None
    times: CallTimes


@dataclass(frozen=True, kw_only=True)
class IncomingCall(CallEvent):
    """An authenticated phone calls: accept, refuse or let it wait. `called` is the user part it dialled."""

    username: str
    called: str = field(repr=False)
    sdp: SessionDescription | None
    source: Address


@dataclass(frozen=True, kw_only=True)
class Connected(CallEvent):
    """The ACK to our 200 came; `sdp` is set when it held the answer to an offer of ours."""

    sdp: SessionDescription | None
    times: CallTimes


@dataclass(frozen=True, kw_only=True)
class MediaChanged(CallEvent):
    """A re-INVITE was answered with our unchanged description; the peer's new one holds from now on."""

    sdp: SessionDescription


@dataclass(frozen=True, kw_only=True)
class GhostEnded(CallEvent):
    """A 2xx for a dialog we do not know (of before a crash) or do not want (a second fork) was ACKed and hung up."""

    forked: bool


@dataclass(frozen=True, kw_only=True)
class Discarded:
    """A datagram that changed nothing, for a counter."""

    reason: DiscardReason
    source: Address


Event = CallEvent | Discarded
