"""An agent's SIP phone: drives `AgentLeg` over UDP, redials when it dies, speaks in calls, listens always."""

import asyncio
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from outdial_sim.agents.leg import AgentLeg, Caller, Down, LegState, Output, SendTo, Up
from outdial_sim.hearing import Ear
from outdial_sim.voices import Clip
from outdial_sim.wire import g711, rtp, sdp, sip
from outdial_sim.wire.digest import Account

KEEP_ALIVE_FRAMES = 50
PAUSE_FRAMES = 100
REDIAL_FIRST_SECONDS = 0.25
REDIAL_MOST_SECONDS = 2.0


class Mouth(StrEnum):
    """When the agent speaks: never, as soon as somebody is on the line, or all through a call."""

    SHUT = "shut"
    WHEN_SPOKEN_TO = "when_spoken_to"
    OPEN = "open"


@dataclass(frozen=True, kw_only=True)
class SipAccount:
    """Where and as whom the phone connects, as the console says at sign-in."""

    uri: str
    account: Account


class AgentPhone(asyncio.DatagramProtocol):
    """One phone with its own SIP and RTP sockets; `on_leg(up, reason)` hears of every change, `on_malformed(rule)` of
    every datagram that could not be used."""

    def __init__(
        self,
        rtp_socket: socket.socket,
        speech: Clip,
        on_leg: Callable[[bool, str], None],
        on_malformed: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._rtp = rtp_socket
        self._speech = speech.audio
        self._on_leg = on_leg
        self._on_malformed = on_malformed
        self._account: SipAccount | None = None
        self._leg: AgentLeg | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._redial_seconds = REDIAL_FIRST_SECONDS
        self._stream: sdp.AudioStream | None = None
        self._packets = rtp.Packetiser(ssrc=secrets.randbits(32), sequence=secrets.randbits(15), timestamp=0)
        self._frames = 0
        self._position = 0
        self.ear = Ear()
        self.mouth = Mouth.SHUT

    @property
    def up(self) -> bool:
        """Whether the leg is answered."""
        return self._leg is not None and self._leg.state is LegState.UP

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; called by asyncio."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._host, self._port = transport.get_extra_info("sockname")[:2]

    def connect(self, account: SipAccount) -> None:
        """Call the gateway, and again whenever the leg dies, until `hang_up`; a leg that is up stays unless moved."""
        moved = self._account is not None and account.uri != self._account.uri
        self._account = account
        if self._leg is None:
            self._dial()
        elif moved:
            self._perform(self._leg.hang_up(self._loop.time()))
        else:
            self._arm()

    def hang_up(self) -> None:
        """Leave: send BYE and do not call again."""
        self._account = None
        if self._leg is not None:
            self._perform(self._leg.hang_up(self._loop.time()))

    def close(self) -> None:
        """Close timers and sockets."""
        self._account = None
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()
        self._rtp.close()

    def forget_what_was_heard(self) -> None:
        """Start listening for the next call."""
        self.ear = Ear()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One SIP datagram. Called by asyncio."""
        if self._leg is None:
            return
        try:
            self._perform(self._leg.receive(sip.parse(data), addr[:2], self._loop.time()))
        except (sip.MalformedMessage, sdp.MalformedSdp) as error:
            self._on_malformed(str(error))

    def frame(self, now: float) -> None:
        """20 ms of media: listen, then speak (in a call) or keep the stream alive (once a second)."""
        self._listen(now)
        self._frames += 1
        if self._stream is None or not self.up:
            return
        if self.mouth is Mouth.OPEN or (self.mouth is Mouth.WHEN_SPOKEN_TO and self.ear.line_settled(now)):
            self._send(self._next_speech())
        elif self._frames % KEEP_ALIVE_FRAMES == 0:
            self._send(g711.SILENCE)
        else:
            self._packets.skip(rtp.FRAME_SAMPLES)

    def _listen(self, now: float) -> None:
        while True:
            try:
                data = self._rtp.recv(2048)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            packet = rtp.unpack(data)
            if packet is not None and packet.payload_type in (sdp.PCMU, sdp.PCMA):
                self.ear.hear(packet.payload, now, alaw=packet.payload_type == sdp.PCMA)

    def _next_speech(self) -> bytes:
        """The clip, then two seconds for the other side to answer, and again."""
        start, self._position = self._position, self._position + rtp.FRAME_SAMPLES
        if self._position >= len(self._speech) + PAUSE_FRAMES * rtp.FRAME_SAMPLES:
            self._position = 0
        return self._speech[start : start + rtp.FRAME_SAMPLES].ljust(rtp.FRAME_SAMPLES, b"\xff")

    def _send(self, payload: bytes) -> None:
        assert self._stream is not None
        codec = self._stream.codecs[0]
        data = self._packets.pack(codec, g711.ulaw_to_alaw(payload) if codec == sdp.PCMA else payload)
        with suppress(BlockingIOError, ConnectionRefusedError):
            self._rtp.sendto(data, (self._stream.host, self._stream.port))

    def _dial(self) -> None:
        if self._account is None or self._transport.is_closing():
            return
        gateway = sip.uri_address(self._account.uri)
        if gateway is None:
            raise sip.MalformedMessage("the phone's uri must be a SIP URI")
        caller = Caller(
            uri=self._account.uri,
            gateway=gateway,
            host=self._host,
            sip_port=self._port,
            rtp_port=int(self._rtp.getsockname()[1]),
            account=self._account.account,
            new_token=lambda: secrets.token_hex(8),
        )
        self._leg = AgentLeg(caller)
        self._perform(self._leg.dial(self._loop.time()))

    def _perform(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case SendTo(message=message, to=to):
                    self._transport.sendto(sip.write(message), to)
                case Up(stream=stream):
                    self._stream = stream
                    self._redial_seconds = REDIAL_FIRST_SECONDS
                    self._on_leg(True, "")
                case Down(reason=reason):
                    self._stream = None
                    self._on_leg(False, reason)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._leg is None or self._transport.is_closing():
            return
        if self._leg.state is LegState.DOWN:
            if self._account is not None:
                self._timer = self._loop.call_later(self._redial_seconds, self._dial)
                self._redial_seconds = min(2 * self._redial_seconds, REDIAL_MOST_SECONDS)
            return
        due = self._leg.next_deadline()
        if due is not None:
            self._timer = self._loop.call_at(due, self._on_deadline)

    def _on_deadline(self) -> None:
        if self._leg is not None:
            self._perform(self._leg.tick(self._loop.time()))
