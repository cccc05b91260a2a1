"""Media legs on asyncio UDP sockets, one 20 ms pump for all of them, and the bridge between two.

Theory of operation. A leg receives by callback and is *pulled* by the pump: every 20 ms each leg that listens gives one
frame to `on_frame` (silence while nothing has come, so dead air is heard as dead air), and each leg that has something
to say sends one packet. A bridged leg leaves the pump: its packets are passed on as they arrive. The pump is one
`loop.call_at` chain on a fixed grid; when the loop was busy it runs the missed ticks at once, and counts them.

An idle leg sends one silent packet a second, which keeps a nailed-up agent leg and every NAT on the way open.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np

from media_gateway.rtp import g711
from media_gateway.rtp.address import Address, reachable
from media_gateway.rtp.codec import Codec
from media_gateway.rtp.g711 import FRAME_MS, FRAME_SAMPLES, Frame
from media_gateway.rtp.jitter import JitterBuffer
from media_gateway.rtp.packet import PacketError, RtpPacket, parse_rtp, parse_telephone_event
from media_gateway.rtp.port_pool import PortPool
from media_gateway.rtp.relay import Relay
from media_gateway.rtp.stream import ReceiveReport, ReceiveStats, SendStream

FRAME_SECONDS = FRAME_MS / 1000
IDLE_TICKS = 50
MAX_QUEUED_FRAMES = 50
MAX_CATCH_UP_TICKS = 10
SOURCE_QUIET_SECONDS = 0.5

_SILENT_FRAME: Frame = np.zeros(FRAME_SAMPLES, dtype=np.int16)
_SILENT_PAYLOAD = {codec: g711.silence(codec) for codec in Codec}
_SILENT_FRAME.setflags(write=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class PortStats:
    """One leg's figures since it was opened; counts are packets except `concealed_frames`."""

    sent: int
    received: ReceiveReport
    invalid: int
    foreign: int
    socket_errors: int
    concealed_frames: int
    late: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PumpStats:
    """How punctual the pump was: `late_ticks` began more than one frame late, `skipped_ticks` were given up."""

    ticks: int
    late_ticks: int
    skipped_ticks: int
    worst_lateness_ms: float


class MediaPort(asyncio.DatagramProtocol):
    """One media leg on one even UDP port; made by `MediaPump.open_port` only.

    `on_frame(leg, int16[160])` is called once per 20 ms while it is set and the leg is not bridged;
    `on_digit(leg, key)` once per key pressed, bridged or not. An exception out of either ends
    the pump's `run`.
    """

    def __init__(self, *, pump: MediaPump, local: Address, draw_bits: Callable[[int], int]) -> None:
        self.on_frame: Callable[[MediaPort, Frame], None] | None = None
        self.on_digit: Callable[[MediaPort, str], None] | None = None
        self.local_host, self.local_port = local
        self.codec = Codec.PCMU
        self.closed = False
        self._pump = pump
        self._transport: asyncio.DatagramTransport | None = None
        self._send = SendStream(ssrc=draw_bits(32), sequence=draw_bits(15), timestamp=draw_bits(32))
        self._received = ReceiveStats()
        self._jitter = JitterBuffer()
        self._queue: deque[bytes] = deque(maxlen=MAX_QUEUED_FRAMES)
        self._prompt: deque[bytes] = deque()
        self._prompt_done: asyncio.Future[bool] | None = None
        self._peer: MediaPort | None = None
        self._relay = Relay(stream=self._send)
        self._signalled: Address | None = None
        self._source: Address | None = None
        self._source_heard_at = 0.0
        self._event_type: int | None = None
        self._event_timestamp: int | None = None
        self._idle_ticks = 0
        self._invalid = self._foreign = self._socket_errors = 0

    @property
    def remote(self) -> Address | None:
        """Where we send: the source of what we hear, else what signalling said."""
        return self._source or self._signalled

    @property
    def heard_at(self) -> float | None:
        """Loop time of the last good packet; None before the first. Silence on a live leg says it is gone."""
        return self._source_heard_at if self._source else None

    def set_remote(self, host: str, port: int, payload_type: int, telephone_event_type: int | None = None) -> None:
        """Takes the peer's SDP; an address we can't send to is left out till we hear it. ValueError unless 0 or 8."""
        self.codec = Codec(payload_type)
        self._send.payload_type = payload_type
        self._event_type = telephone_event_type
        signalled = reachable(host, port, self.local_host)
        if signalled != self._signalled:
            self._signalled = signalled
            self._source = None

    def push(self, frame: Frame | bytes) -> None:
        """Queues one 20 ms frame (int16[160], or 160 bytes in this leg's codec); past 1 s the oldest is dropped."""
        self._queue.append(frame if isinstance(frame, bytes) else g711.encode(self.codec, frame))

    def play(self, frames: Iterable[Frame | bytes]) -> asyncio.Future[bool]:
        """Plays a prompt from the next tick, in place of a current one; True when it ended, False when it was cut."""
        self.stop_playing()
        self._prompt.extend(f if isinstance(f, bytes) else g711.encode(self.codec, f) for f in frames)
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self._prompt and not self.closed:
            self._prompt_done = done
        else:
            done.set_result(not self.closed)
        return done

    def stop_playing(self) -> None:
        """Cuts the current prompt, if any."""
        self._prompt.clear()
        self._finish_prompt(ended=False)

    def stats(self) -> PortStats:
        """Returns the figures so far."""
        return PortStats(
            sent=self._send.packets_sent,
            received=self._received.report(),
            invalid=self._invalid,
            foreign=self._foreign,
            socket_errors=self._socket_errors,
            concealed_frames=self._jitter.concealed,
            late=self._jitter.late,
        )

    def close(self) -> None:
        """Leaves the bridge and the pump; the port number drains before it is used again. Closing twice is harmless."""
        if self.closed:
            return
        self.closed = True
        self._pump.unbridge(self)
        self.stop_playing()
        if self._transport is not None:
            self._transport.close()
        self._pump.forget(self)

    # asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own is no subclass in Python 3.11

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        try:
            packet = parse_rtp(data)
        except PacketError:
            self._invalid += 1
            return
        now = self._pump.now()
        if not self._accept_source((str(addr[0]), addr[1]), now):
            self._foreign += 1
            return
        self._received.on_packet(packet, now)
        if packet.payload_type == self._event_type:
            self._on_event(packet)
        elif packet.payload_type in _SILENT_PAYLOAD:
            self._on_audio(packet, Codec(packet.payload_type))

    def error_received(self, exc: Exception) -> None:
        """An ICMP "port unreachable" of a peer that hung up; signalling ends the call, the leg only counts."""
        self._socket_errors += 1

    # called by the pump

    def tick(self) -> None:
        """One 20 ms step: hears one frame, says one frame."""
        if self._peer is not None:
            return
        if self.on_frame is not None:
            heard = self._jitter.pop()
            self.on_frame(self, _SILENT_FRAME if heard is None else heard)
        if not self.closed and self._peer is None:
            self._speak()

    def join(self, peer: MediaPort | None) -> None:
        """Starts or ends passing what arrives here on to the peer; the buffer starts anew in either case."""
        self._peer = peer
        self._jitter = JitterBuffer(concealed=self._jitter.concealed, late=self._jitter.late)
        if peer is not None:
            self.stop_playing()
            self._queue.clear()
            peer._relay = Relay(stream=peer._send)
        else:
            self._send.skip_frames(0)

    def _accept_source(self, source: Address, now: float) -> bool:
        """Symmetric RTP: the first source wins, another only once that fell silent: nobody talks over a live call."""
        if source != self._source:
            if self._source is not None and now - self._source_heard_at < SOURCE_QUIET_SECONDS:
                return False
            self._source = source
        self._source_heard_at = now
        return True

    def _on_audio(self, packet: RtpPacket, codec: Codec) -> None:
        if self._peer is not None:
            self._peer._forward(packet, g711.transcode(codec, self._peer.codec, packet.payload), self._peer.codec)
        elif self.on_frame is not None:
            self._jitter.push(packet, codec)

    def _on_event(self, packet: RtpPacket) -> None:
        try:
            event = parse_telephone_event(packet.payload)
        except PacketError:
            self._invalid += 1
            return
        if self._peer is not None and self._peer._event_type is not None:
            self._peer._forward(packet, packet.payload, self._peer._event_type)
        if packet.timestamp == self._event_timestamp:
            return
        self._event_timestamp = packet.timestamp
        if event.digit is not None and self.on_digit is not None:
            self._pump.guard(self.on_digit, self, event.digit)

    def _forward(self, packet: RtpPacket, payload: bytes, payload_type: int) -> None:
        self._send_wire(self._relay.forward(packet, payload, payload_type))

    def _speak(self) -> None:
        if self._prompt:
            self._send_wire(self._send.packet(self._prompt.popleft()))
            if not self._prompt:
                self._finish_prompt(ended=True)
        elif self._queue:
            self._send_wire(self._send.packet(self._queue.popleft()))
        else:
            self._stay_silent()
            return
        self._idle_ticks = 0

    def _stay_silent(self) -> None:
        self._idle_ticks += 1
        if self._idle_ticks >= IDLE_TICKS and self.remote is not None:
            self._idle_ticks = 0
            self._send_wire(self._send.packet(_SILENT_PAYLOAD[self.codec]))
        else:
            self._send.skip_frames(1)

    def _send_wire(self, wire: bytes) -> None:
        remote = self.remote
        if remote is not None and self._transport is not None and not self.closed:
            self._transport.sendto(wire, remote)

    def _finish_prompt(self, *, ended: bool) -> None:
        done, self._prompt_done = self._prompt_done, None
        if done is not None and not done.done():
            done.set_result(ended)


class MediaPump:
    """Opens legs and drives all of them from one timer; `run` returns after `stop` and raises what a leg raised.

    `on_tick()`, when set, is called after the legs of each tick: the place to judge a batch of frames.
    """

    def __init__(self, *, host: str, ports: PortPool, draw_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._host = host
        self._ports = ports
        self._draw_bits = draw_bits
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_tick: Callable[[], None] | None = None
        self._legs: dict[int, MediaPort] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._finished: asyncio.Future[None] | None = None
        self._due = 0.0
        self._ticks = self._late_ticks = self._skipped_ticks = 0
        self._worst_lateness = 0.0

    async def open_port(self) -> MediaPort:
        """Binds the next drained port. Raises NoMediaPort; a port some other process holds is passed over."""
        loop = self._loop = asyncio.get_running_loop()
        for _ in range(self._ports.capacity):
            number = self._ports.take(loop.time())
            port = MediaPort(pump=self, local=(self._host, number), draw_bits=self._draw_bits)
            if not await self._bind(loop, port):
                self._ports.give_back(number, loop.time())
                continue
            self._legs[number] = port
            return port
        raise OSError(f"none of {self._ports.capacity} media ports could be bound")

    async def _bind(self, loop: asyncio.AbstractEventLoop, port: MediaPort) -> bool:
        try:
            await loop.create_datagram_endpoint(lambda: port, local_addr=(port.local_host, port.local_port))
        except OSError:
            return False
        return True

    def bridge(self, one: MediaPort, other: MediaPort) -> None:
        """Passes packets both ways from the next one on; an earlier bridge of either leg ends."""
        if one is other or one.closed or other.closed:
            raise ValueError("a bridge needs two open legs")
        self.unbridge(one)
        self.unbridge(other)
        one.join(other)
        other.join(one)

    def unbridge(self, leg: MediaPort) -> None:
        """Ends the leg's bridge; both legs are the pump's again. Harmless without one."""
        peer = leg._peer
        if peer is not None:
            leg.join(None)
            peer.join(None)

    async def run(self) -> None:
        """Ticks every 20 ms until `stop`."""
        loop = self._loop = asyncio.get_running_loop()
        self._finished = loop.create_future()
        self._due = loop.time() + FRAME_SECONDS
        self._timer = loop.call_at(self._due, self._on_timer)
        try:
            await self._finished
        finally:
            self._timer.cancel()

    def stop(self) -> None:
        """Ends `run`; open legs stay open until they are closed."""
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    def close(self) -> None:
        """Ends `run` and closes every leg still open."""
        self.stop()
        for leg in tuple(self._legs.values()):
            leg.close()

    def stats(self) -> PumpStats:
        """Returns the punctuality figures since the start."""
        return PumpStats(
            ticks=self._ticks,
            late_ticks=self._late_ticks,
            skipped_ticks=self._skipped_ticks,
            worst_lateness_ms=self._worst_lateness * 1000,
        )

    @property
    def open_legs(self) -> int:
        """Legs opened and not closed."""
        return len(self._legs)

    def now(self) -> float:
        """The loop's monotonic seconds."""
        return self._loop.time() if self._loop is not None else 0.0

    def forget(self, leg: MediaPort) -> None:
        """Called by a closing leg."""
        if self._legs.pop(leg.local_port, None) is not None:
            self._ports.give_back(leg.local_port, self.now())

    def guard(self, call: Callable[..., None], *arguments: object) -> None:
        """Calls what a leg's owner handed in; its exception ends `run`, where the owner of the process sees it."""
        try:
            call(*arguments)
        except Exception as error:
            if self._finished is None or self._finished.done():
                raise
            self._finished.set_exception(error)

    def _on_timer(self) -> None:
        lateness = self.now() - self._due
        self._worst_lateness = max(self._worst_lateness, lateness)
        missed = int(lateness / FRAME_SECONDS)
        given_up = max(0, missed - MAX_CATCH_UP_TICKS)
        self._late_ticks += missed
        self._skipped_ticks += given_up
        self._due += (missed + 1) * FRAME_SECONDS
        for _ in range(missed - given_up + 1):
            self.guard(self._tick)
        if self._loop is not None and self._finished is not None and not self._finished.done():
            self._timer = self._loop.call_at(self._due, self._on_timer)

    def _tick(self) -> None:
        self._ticks += 1
        for leg in tuple(self._legs.values()):
            leg.tick()
        if self.on_tick is not None:
            self.on_tick()
