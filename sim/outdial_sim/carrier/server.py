"""The carrier's socket: routes SIP messages to calls, runs their deadlines and the media tick, writes the journal.

Clock: `loop.time()` drives everything; the journal's `t` is that plus the offset to unix time measured once at start.
"""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from outdial_sim.callees import kind_of, plan_of
from outdial_sim.carrier.callee import Callee
from outdial_sim.carrier.line import Line, open_rtp_socket
from outdial_sim.carrier.uas import Local, MediaTo, Note, Output, Send, UasCall
from outdial_sim.journal import Journal
from outdial_sim.scenario import Kind, Scenario
from outdial_sim.voices import Voices
from outdial_sim.wire import sdp, sip
from outdial_sim.wire.digest import Guard, Verdict
from outdial_sim.wire.rtp import FRAME_SECONDS, Packetiser
from outdial_sim.wire.sip import Address, SipMessage

LATE_TICKS_DROPPED_SECONDS = 0.2
Key = tuple[str, str]


@dataclass
class _Live:
    call: UasCall
    line: Line
    number: str
    timer: asyncio.TimerHandle | None = None
    media_open: bool = True


class Carrier(asyncio.DatagramProtocol):
    """A SIP server on one UDP port for every callee of a scenario."""

    def __init__(
        self,
        *,
        scenario: Scenario,
        voices: Voices,
        journal: Journal,
        guard: Guard | None,
        wall_offset: float,
        new_token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """`guard` challenges INVITEs when it is given; `wall_offset` = unix time - loop.time()."""
        self._scenario = scenario
        self._voices = voices
        self._journal = journal
        self._guard = guard
        self._offset = wall_offset
        self._new_token = new_token
        self._loop = asyncio.get_running_loop()
        self._calls: dict[Key, _Live] = {}
        self._seen: set[str] = set()
        self._tick_timer: asyncio.TimerHandle | None = None
        self._next_tick = 0.0
        self.counts: Counter[str] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; called by asyncio."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._host, self._port = transport.get_extra_info("sockname")[:2]

    @property
    def port(self) -> int:
        """The SIP port."""
        return int(self._port)

    @property
    def live_calls(self) -> int:
        """Calls that are being routed, ringing or up."""
        return sum(live.media_open for live in self._calls.values())

    def close(self) -> None:
        """Stop every timer and socket; calls that are up are simply gone, as when a carrier dies."""
        for live in self._calls.values():
            self._close_media(live)
            if live.timer is not None:
                live.timer.cancel()
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        self._transport.close()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One SIP datagram; what cannot be read is journalled and dropped. Called by asyncio."""
        source: Address = addr[:2]
        if not data.strip(b"\r\n\0"):
            return
        try:
            message = sip.parse(data)
            self._receive(message, source)
        except (sip.MalformedMessage, sdp.MalformedSdp) as error:
            self.counts["malformed"] += 1
            self._journal.write(self._wall(), event="malformed", reason=str(error))

    def _receive(self, message: SipMessage, source: Address) -> None:
        live = self._calls.get(self._key(message))
        self._log("in", message, live.number if live else sip_number(message))
        if live is None:
            self._receive_outside(message, source)
            return
        if message.to_tag not in (None, live.call.local.tag) and not message.status:
            if message.method != "ACK":
                self._answer(message, source, 481)
            return
        self._perform(live, live.call.receive(message, source, self._loop.time()))

    def _receive_outside(self, message: SipMessage, source: Address) -> None:
        if message.status or message.method == "ACK":
            return
        if message.method == "INVITE" and message.to_tag is None:
            self._on_new_invite(message, source)
        elif message.method == "OPTIONS":
            self._answer(message, source, 200)
        else:
            self._answer(message, source, 481 if message.method in ("BYE", "CANCEL", "INVITE") else 405)

    def _on_new_invite(self, invite: SipMessage, source: Address) -> None:
        number = sip_number(invite)
        plan = plan_of(self._scenario, number)
        if invite.call_id not in self._seen:
            self._seen.add(invite.call_id)
            self.counts["initial_invites"] += 1
            self._event(invite, "initial_invite", number, plan.kind)
        refusal = self._judge(invite)
        if refusal is not None:
            status, headers = refusal
            self._answer(invite, source, status, headers)
            return
        key = self._key(invite)
        endpoint = open_rtp_socket(self._host)
        local = Local(
            host=self._host,
            sip_port=self._port,
            rtp_port=int(endpoint.getsockname()[1]),
            tag=self._new_token(),
            session=secrets.randbits(31),
            new_token=self._new_token,
        )
        line = Line(
            socket=endpoint,
            callee=Callee(plan, self._voices),
            packets=Packetiser(
                ssrc=secrets.randbits(32), sequence=secrets.randbits(15), timestamp=secrets.randbits(31)
            ),
            loss=self._scenario.carrier.loss,
            chance=random.Random(f"{self._scenario.seed}:{invite.call_id}"),
            note=lambda event, at, **fields: self._event(invite, event, number, plan.kind, at, **fields),
        )
        live = _Live(call=UasCall(invite, source, plan, local), line=line, number=number)
        self._calls[key] = live
        self._start_ticking()
        self._perform(live, live.call.start(self._loop.time()))

    def _judge(self, invite: SipMessage) -> tuple[int, sip.Headers] | None:
        """None when the INVITE may pass, else the status and headers of the refusal."""
        if self._guard is None:
            return None
        header = invite.get("Proxy-Authorization")
        verdict = self._guard.check(header, invite.method, self._wall())
        if verdict is Verdict.ACCEPTED:
            return None
        if verdict is Verdict.WRONG:
            return 403, ()
        challenge = self._guard.challenge(self._wall(), stale=verdict is Verdict.STALE)
        return 407, (("Proxy-Authenticate", challenge),)

    def _perform(self, live: _Live, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Send(message=message, to=to):
                    self._send(message, to, live.number)
                case MediaTo(stream=stream):
                    live.line.remote = stream
                case Note(event=event, reason=reason):
                    self._on_note(live, event, reason)
        self._arm(live)

    def _on_note(self, live: _Live, event: str, reason: str | None) -> None:
        now = self._loop.time()
        media = {"packets_received": live.line.packets_received, "packets_sent": live.line.packets_sent}
        fields = media if event == "call_over" else {}
        self._event(live.call.invite, event, live.number, live.call.plan.kind, reason=reason, **fields)
        if event == "early_media":
            live.line.callee.start_early(now)
        elif event == "answered":
            self.counts["answered"] += 1
            live.line.answer(now)
        elif event in ("call_over", "hung_up", "bye_received"):
            self._close_media(live)

    def _arm(self, live: _Live) -> None:
        """One timer per call, at its next deadline; a call whose memory may go is dropped."""
        if live.timer is not None:
            live.timer.cancel()
            live.timer = None
        if live.call.forgettable:
            del self._calls[self._key(live.call.invite)]
            return
        due = live.call.next_deadline()
        if due is not None:
            live.timer = self._loop.call_at(due, self._on_deadline, live)

    def _on_deadline(self, live: _Live) -> None:
        self._perform(live, live.call.tick(self._loop.time()))

    def _start_ticking(self) -> None:
        if self._tick_timer is None:
            self._next_tick = self._loop.time() + FRAME_SECONDS
            self._tick_timer = self._loop.call_at(self._next_tick, self._on_tick)

    def _on_tick(self) -> None:
        """One frame for every open line; ticks missed by little are made up for, by much are dropped."""
        now = self._loop.time()
        for live in [live for live in self._calls.values() if live.media_open]:
            self._on_frame(live, now)
        self._next_tick += FRAME_SECONDS
        if now - self._next_tick > LATE_TICKS_DROPPED_SECONDS:
            self._next_tick = now + FRAME_SECONDS
        busy = any(live.media_open for live in self._calls.values())
        self._tick_timer = self._loop.call_at(self._next_tick, self._on_tick) if busy else None

    def _on_frame(self, live: _Live, now: float) -> None:
        frame = live.line.frame(now)
        for event in frame.events:
            self._event(live.call.invite, event, live.number, live.call.plan.kind, now)
        if frame.early_over:
            self._perform(live, live.call.early_media_over(now))
        if frame.hangs_up is not None:
            self._perform(live, live.call.hang_up(frame.hangs_up, now))

    def _close_media(self, live: _Live) -> None:
        if live.media_open:
            live.media_open = False
            live.line.close()

    def _answer(self, request: SipMessage, source: Address, status: int, headers: sip.Headers = ()) -> None:
        extra = (*headers, ("Allow", sip.ALLOW)) if status in (200, 405) else headers
        reply = sip.response(request, status, source=source, to_tag=self._new_token(), extra=extra)
        self._send(reply, sip.reply_address(request, source), sip_number(request))

    def _send(self, message: SipMessage, to: Address, number: str) -> None:
        self._log("out", message, number)
        self._transport.sendto(sip.write(message), to)

    def _log(self, direction: str, message: SipMessage, number: str) -> None:
        cseq, method = message.cseq
        self._journal.write(
            self._wall(),
            dir=direction,
            call_id=message.call_id,
            method=message.method or None,
            status=message.status or None,
            cseq=cseq,
            cseq_method=method,
            to_tag=message.to_tag,
            callee_kind=self._kind(number),
            to=number,
            **{"from": sip.uri_user(sip.uri_of(message.need("From")))},
            traceparent=message.get("X-Traceparent"),
        )

    def _event(
        self, invite: SipMessage, event: str, number: str, kind: Kind, at: float | None = None, **fields: Any
    ) -> None:
        t = self._wall() if at is None else at + self._offset
        self._journal.write(t, event=event, call_id=invite.call_id, callee_kind=kind, to=number, **fields)

    def _kind(self, number: str) -> Kind | None:
        return kind_of(self._scenario.callees, self._scenario.seed, number) if number else None

    def _wall(self) -> float:
        return self._loop.time() + self._offset

    @staticmethod
    def _key(message: SipMessage) -> Key:
        """Call-ID and the caller's tag: From in what the caller sends, To in its responses to our requests."""
        caller = message.to_tag if message.status else message.from_tag
        return message.call_id, caller or ""


def sip_number(message: SipMessage) -> str:
    """The called number as E.164: from the Request-URI of a request, else from To."""
    user = sip.uri_user(message.uri or sip.uri_of(message.need("To")))
    digits = "".join(letter for letter in user if letter.isdigit())
    return f"+{digits}" if digits else ""
