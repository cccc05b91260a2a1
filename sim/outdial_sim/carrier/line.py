"""The media of one call: RTP socket, the callee that speaks through it, the ear that listens. Driven every 20 ms."""

import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from outdial_sim.carrier.callee import Callee, Frame, Phase
from outdial_sim.hearing import Ear
from outdial_sim.wire import g711, rtp, sdp

RECEIVE_BYTES = 2048


def open_rtp_socket(host: str) -> socket.socket:
    """A non-blocking UDP socket on a port of the operating system's choice: the port tells nothing about the callee."""
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.setblocking(False)
    endpoint.bind((host, 0))
    return endpoint


@dataclass
class Line:
    """`note(event, time, **fields)` takes what the journal should hold; times are on the clock of `frame`'s `now`."""

    socket: socket.socket
    callee: Callee
    packets: rtp.Packetiser
    loss: float
    chance: random.Random
    note: Callable[..., None]
    remote: sdp.AudioStream | None = None
    answered: bool = False
    packets_received: int = 0
    packets_sent: int = 0
    _ear: Ear = field(default_factory=Ear)
    _keys: rtp.KeyListener = field(default_factory=rtp.KeyListener)
    _heard_noted: bool = False

    @property
    def port(self) -> int:
        """The local RTP port."""
        return int(self.socket.getsockname()[1])

    def answer(self, now: float) -> None:
        """The callee picks up; what is heard counts from here."""
        self.answered = True
        self._ear = Ear()
        self.callee.answer(now)

    def frame(self, now: float) -> Frame:
        """Listen to what arrived, then play the next 20 ms."""
        heard = self._listen(now)
        frame = self.callee.frame(now, heard=heard)
        if self.callee.phase in (Phase.QUIET, Phase.GONE):
            self.packets.skip(rtp.FRAME_SAMPLES)
        else:
            self._speak(frame.payload)
        return frame

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _listen(self, now: float) -> bool:
        heard = False
        while True:
            try:
                data = self.socket.recv(RECEIVE_BYTES)
            except BlockingIOError:
                break
            except ConnectionRefusedError:
                continue
            packet = rtp.unpack(data)
            if packet is not None and not self._lost():
                heard |= self._hear(packet, now)
        if self._ear.speech_first_at is not None and self.answered and not self._heard_noted:
            self._heard_noted = True
            self.note("heard_audio", self._ear.speech_first_at)
        return heard

    def _hear(self, packet: rtp.RtpPacket, now: float) -> bool:
        self.packets_received += 1
        if packet.payload_type in (sdp.PCMU, sdp.PCMA):
            return self._ear.hear(packet.payload, now, alaw=packet.payload_type == sdp.PCMA)
        if self.remote is not None and packet.payload_type == self.remote.event_type:
            key = self._keys.hear(packet)
            if key is not None:
                self.note("dtmf", now, key=key)
        return False

    def _speak(self, payload: bytes) -> None:
        if self.remote is None or self.remote.port == 0 or self.remote.direction in ("sendonly", "inactive"):
            self.packets.skip(rtp.FRAME_SAMPLES)
            return
        codec = self.remote.codecs[0]
        data = self.packets.pack(codec, g711.ulaw_to_alaw(payload) if codec == sdp.PCMA else payload)
        if self._lost():
            return
        try:
            self.socket.sendto(data, (self.remote.host, self.remote.port))
            self.packets_sent += 1
        except (BlockingIOError, ConnectionRefusedError):
            return

    def _lost(self) -> bool:
        return self.loss > 0.0 and self.chance.random() < self.loss
