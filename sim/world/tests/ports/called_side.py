"""The called side of a trunk under a test's control: on real SIP, and on the world's carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from outdial_world.ports.air import description
from outdial_world.ports.line import CarrierEnd, FarState

from outdial_sim.wire import sdp, sip

SOUND = ("127.0.0.1", 41_998)
"""Where every called side of these tests says it listens."""


class Called(Protocol):
    """One call at the called side; `seen` are the methods that came: INVITE, CANCEL, ACK (of an answer), BYE."""

    seen: list[str]

    def trying(self) -> None: ...
    def ring(self) -> None: ...
    def sound(self) -> None: ...
    def answer(self) -> None: ...
    def reject(self, status: int, q850: int | None = None) -> None: ...
    def hang_up(self) -> None: ...


class WorldCalled:
    """On the carrier's end of the world's line."""

    def __init__(self, end: CarrierEnd) -> None:
        self.seen = ["INVITE"]
        self._end = end
        end.behind = self

    def trying(self) -> None:
        self._end.provisional(100)

    def ring(self) -> None:
        self._end.provisional(180)

    def sound(self) -> None:
        self._end.provisional(183, description(SOUND))

    def answer(self) -> None:
        self._end.answer(description(SOUND))

    def reject(self, status: int, q850: int | None = None) -> None:
        self._end.reject(status, q850)

    def hang_up(self) -> None:
        self._end.hang_up(16)

    def cancelled(self, in_time: bool) -> None:
        self.seen.append("CANCEL")

    def confirmed(self) -> None:
        self.seen.append("ACK")

    def over(self, by: str) -> None:
        if by == "gateway" and self._end.state is FarState.OVER and "ACK" in self.seen:
            self.seen.append("BYE")


class SipCalled:
    """On real SIP, by a stranger's parser; it repeats nothing, for nothing is lost on loopback."""

    def __init__(self, send: Callable[[sip.SipMessage, Any], None], invite: sip.SipMessage, source: Any) -> None:
        self.seen: list[str] = []
        self.deaf = False
        self._send, self._invite, self._source = send, invite, source
        self._answered = self._confirmed = self._final = self._wants_to_hang_up = False

    def trying(self) -> None:
        self._respond(100)

    def ring(self) -> None:
        self._respond(180)

    def sound(self) -> None:
        self._respond(183, body=self._body())

    def answer(self) -> None:
        if not self._final:
            self._answered = self._final = True
            self._respond(200, body=self._body())

    def reject(self, status: int, q850: int | None = None) -> None:
        self._final = True
        self._respond(status, extra=(("Reason", f"Q.850;cause={q850}"),) if q850 else ())

    def hang_up(self) -> None:
        if not self._confirmed:
            self._wants_to_hang_up = True
            return
        target = sip.uri_of(self._invite.need("Contact"))
        headers = (
            ("Via", "SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bKbye"),
            ("Max-Forwards", "70"),
            ("From", f"{self._invite.need('To')};tag=called"),
            ("To", self._invite.need("From")),
            ("Call-ID", self._invite.call_id),
            ("CSeq", "1 BYE"),
            ("Reason", "Q.850;cause=16"),
        )
        self._send(sip.SipMessage(method="BYE", uri=target, headers=headers), self._source)

    def receive(self, message: sip.SipMessage, source: Any) -> None:
        """A request of this call."""
        if message.method == "ACK":
            if self._answered and not self._confirmed:
                self._confirmed = True
                self.seen.append("ACK")
                if self._wants_to_hang_up:
                    self.hang_up()
            return
        if message.method not in self.seen:
            self.seen.append(message.method)
        if message.method == "CANCEL" and not self.deaf:
            self._send(sip.response(message, 200, source=source, to_tag="called"), source)
            if not self._final:
                self.reject(487)
        elif message.method == "BYE":
            self._send(sip.response(message, 200, source=source), source)

    def _respond(self, status: int, *, extra: sip.Headers = (), body: bytes = b"") -> None:
        contact = (("Contact", f"<sip:called@127.0.0.1:{self._port()}>"),) if status > 100 else ()
        tag = "called" if status > 100 else None
        message = sip.response(
            self._invite, status, source=self._source, to_tag=tag, extra=(*contact, *extra), body=body
        )
        self._send(message, self._source)

    def _port(self) -> int:
        address = sip.uri_address(self._invite.uri)
        return address[1] if address else 0

    def _body(self) -> bytes:
        return sdp.answer(sdp.parse(self._invite.body), *SOUND, 1)


class ScriptedUas(asyncio.DatagramProtocol):
    """A UDP socket that makes a SipCalled of every new Call-ID."""

    def __init__(self) -> None:
        self.calls: dict[str, SipCalled] = {}
        self.deaf = False
        self._transport: Any = None

    @property
    def port(self) -> int:
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        message = sip.parse(data)
        if message.status:
            return
        if message.call_id not in self.calls:
            self.calls[message.call_id] = SipCalled(self._send, message, addr)
            self.calls[message.call_id].deaf = self.deaf
        self.calls[message.call_id].receive(message, addr)

    def close(self) -> None:
        self._transport.close()

    def _send(self, message: sip.SipMessage, to: Any) -> None:
        self._transport.sendto(sip.write(message), to)
