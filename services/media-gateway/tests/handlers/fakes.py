"""Fakes of the gateway's ports, and what they deal in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

from media_gateway.detection.greeting import AnswerDetector
from media_gateway.domain.admission import Claims
from media_gateway.ports import AssignedAgent, Granted, NoMediaLeg, NotGranted, Unreachable
from media_gateway.rtp.stream import ReceiveReport
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import Alerting, Answered, CallEvent, CallTimes, Ended, EndedBy, EndReason
from media_gateway.sip.sdp import SessionDescription
from outdial_contracts.events import CallDial, CallMode, Context, DialMode, Route, Segment, Transport, Trunk
from outdial_runtime.outcome import Emit

START = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
NUMBER = "+12125550123"
E = TypeVar("E")
SDP = SessionDescription(address="127.0.0.1", port=40000)
TRUNK = Trunk(
    trunk_id="demo-a", host="127.0.0.1", port=5080, transport=Transport.UDP, weight=1, calls_per_second=50, channels=100
)
ROUTE = Route(
    route_id="demo-carrier",
    trunks=(TRUNK,),
    countries=("US",),
    number_classes=("geographic",),
    max_duration_seconds=60,
)
DIAL = CallDial(
    attempt_id="0f8b5f3e-5a2c-5d0b-9d5e-3c1f6a7b8c9d",
    team_id="blue",
    campaign_id="spring-renewal",
    campaign_version=3,
    context=Context(
        lead_id="6e0f9b1a-7c3d-5e2f-8a4b-1d2c3e4f5a6b", attempt_no=1, segment=Segment.COLD, score_band="0.4-0.6"
    ),
    gateway_id="gateway-0",
    gateway_partition=0,
    token="signed",
    mode=CallMode.LIVE_AUTODIALED,
    dial_mode=DialMode.PREDICTIVE,
    caller_id="+12125550101",
    route_id="demo-carrier",
    person_token="1.person",
    callee_token="1.callee",
    destination_prefix="+1212",
    ring_timeout_seconds=18,
    safe_harbour="prompts/safe_harbour.wav",
    seller_id="S1",
    lease_id="channel-1",
    owner_epoch=42,
    owner_address="127.0.0.1:7003",
    decided_at=START,
    expires_at=START + timedelta(seconds=5),
)
CLAIMS = Claims(
    attempt_id=DIAL.attempt_id,
    country="US",
    number_class="geographic",
    modes=frozenset({"LIVE_AUTODIALED"}),
    agent_guaranteed=False,
    expires_at=START + timedelta(seconds=60),
)
AGENT = AssignedAgent(
    agent_id="agent-1",
    leg_id="gateway-0:leg-1",
    gateway_id="gateway-0",
    gateway_address="127.0.0.1:7004",
    epoch=42,
    lease_id="agent-lease-1",
)

RECEIVED = ReceiveReport(
    packets=9, bytes=1440, expected=8, lost=-1, duplicates_and_late=1, jitter_ms=0.5, source_changes=0
)


class FakeClock:
    shifted = True

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class FakeOutbox:
    def __init__(self) -> None:
        self.emitted: list[Emit] = []

    def emit(self, *events: Emit) -> None:
        self.emitted += events

    async def flush(self) -> None:
        """Memory is acknowledged at once."""

    def of(self, kind: type[E]) -> list[E]:
        return [emit.event for emit in self.emitted if isinstance(emit.event, kind)]


class FakeGate:
    def __init__(self) -> None:
        self.answer: Granted | NotGranted | Unreachable | None = None
        self.redeem_seconds = 0.02
        self.redeemed = 0
        self.suppressed: list[str] = []
        self.away = asyncio.Event()
        self.away.set()

    async def redeem(self, dial: CallDial, leg_no: int) -> Granted | NotGranted | Unreachable:
        self.redeemed += 1
        deadline = asyncio.get_running_loop().time() + 0.3
        await asyncio.sleep(self.redeem_seconds)
        return self.answer or Granted(e164=NUMBER, deadline_seconds=deadline)

    async def suppress(self, dial: CallDial, requested_at: datetime) -> None:
        await self.away.wait()
        self.suppressed.append(dial.attempt_id)


class FakeRouter:
    def __init__(self) -> None:
        self.agent: AssignedAgent | None = None
        self.seconds = 0.01
        self.asked_at: list[float] = []
        self.on_ask: Callable[[], None] = lambda: None

    async def assign(
        self, dial: CallDial, address: str, greeting_ended_at: datetime, within_seconds: float
    ) -> AssignedAgent | None:
        self.asked_at.append(asyncio.get_running_loop().time())
        self.on_ask()
        await asyncio.sleep(min(self.seconds, within_seconds))
        return self.agent if self.seconds <= within_seconds else None


class FakeLeg:
    def __init__(self) -> None:
        self.local_host, self.local_port = "127.0.0.1", 20000
        self.on_frame: Any = None
        self.on_digit: Any = None
        self.closed = False
        self.heard_at: float | None = None
        self.remote: tuple[Any, ...] | None = None
        self.sent = 0
        self.peer: FakeLeg | None = None
        self.playing: asyncio.Future[bool] | None = None
        self.played_at: float | None = None

    def set_remote(self, *remote: Any) -> None:
        self.remote = remote

    def play(self, frames: Iterable[Any]) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        self.playing, self.played_at = loop.create_future(), loop.time()
        loop.call_later(0.02 * len(list(frames)), self._played, True)
        return self.playing

    def _played(self, ended: bool) -> None:
        if self.playing is not None and not self.playing.done():
            self.playing.set_result(ended)

    def stop_playing(self) -> None:
        self._played(False)

    def stats(self) -> Any:
        self.sent += self.peer is not None and not self.peer.closed  # a packet passes whenever somebody looks
        return SimpleNamespace(sent=self.sent, received=RECEIVED)

    def close(self) -> None:
        self.closed = True


class FakeMedia:
    def __init__(self) -> None:
        self.legs: list[FakeLeg] = []
        self.no_ports = False
        self.on_verdict: Callable[[Any], None] = lambda verdict: None
        self.listening_for_answer = False
        self.prompts: dict[str, list[Any]] = {"prompts/safe_harbour.wav": [b""] * 200}

    async def open_leg(self) -> Any:
        if self.no_ports:
            raise NoMediaLeg("none left")
        self.legs.append(FakeLeg())
        return self.legs[-1]

    def listen(self, leg: Any, listener: Any, on_verdict: Callable[[Any], None]) -> None:
        leg.on_frame, self.on_verdict = listener, on_verdict
        self.listening_for_answer = isinstance(listener, AnswerDetector)

    def bridge(self, one: Any, other: Any) -> None:
        if one.closed or other.closed:
            raise ValueError("a bridge needs two open legs")
        one.peer, other.peer = other, one

    def unbridge(self, leg: Any) -> None:
        if leg.peer is not None:
            leg.peer.peer = leg.peer = None

    def prompt(self, name: str) -> list[Any] | None:
        return self.prompts.get(name)


class FakeLine:
    """A call as the SIP core shows it: a BYE of ours ends it at once, a CANCEL only when the carrier says so."""

    def __init__(self, on_event: Callable[[CallEvent], None]) -> None:
        self._on_event = on_event
        self.answered = self.cancelled = self.ended = False
        self.hung_up = 0

    def say(self, event: CallEvent) -> None:
        self._on_event(event)

    def ring(self, status: int = 180, sdp: SessionDescription | None = None) -> None:
        self.say(Alerting(call_id="c", status=status, sdp=sdp))

    def answer(self) -> None:
        self.answered = True
        self.say(Answered(call_id="c", sdp=SDP, times=CallTimes(), crossed_cancel=self.cancelled))
        if self.cancelled:
            self.end(EndedBy.LOCAL, EndReason.CROSSED, status=200)

    def end(self, by: EndedBy, reason: EndReason, **more: Any) -> None:
        self.ended = True
        self.say(Ended(call_id="c", by=by, reason=reason, times=CallTimes(), **more))

    def reject(self, status: int, q850: int | None = None) -> None:
        ours = self.cancelled and status == 487
        by, reason = (EndedBy.LOCAL, EndReason.CANCELLED) if ours else (EndedBy.REMOTE, EndReason.REJECTED)
        self.end(by, reason, status=status, q850=q850)

    def bye(self) -> None:
        self.end(EndedBy.REMOTE, EndReason.HUNG_UP, status=200, q850=16)

    def hang_up(self) -> None:
        self.hung_up += 1
        if self.answered and not self.ended:
            self.end(EndedBy.LOCAL, EndReason.HUNG_UP, status=200)
        self.cancelled = self.cancelled or not self.answered


class FakeTrunks:
    def __init__(self) -> None:
        self.lines: list[FakeLine] = []
        self.placed: list[dict[str, Any]] = []
        self.refuses = False

    def place(self, *, on_event: Callable[[CallEvent], None], **call: Any) -> FakeLine:
        if self.refuses:
            raise OSError("the socket refused the INVITE")
        self.placed.append(call)
        self.lines.append(FakeLine(on_event))
        return self.lines[-1]


class FakePhones:
    def __init__(self) -> None:
        self.accepted: dict[str, FakeLine] = {}
        self.refused: dict[str, int] = {}
        self.withdrawn = False

    def accept(self, call_id: str, leg: Any, on_event: Callable[[CallEvent], None]) -> FakeLine:
        if self.withdrawn:
            raise LocalProtocolError("gone")
        self.accepted[call_id] = FakeLine(on_event)
        self.accepted[call_id].answered = True
        return self.accepted[call_id]

    def refuse(self, call_id: str, status: int) -> None:
        self.refused[call_id] = status
