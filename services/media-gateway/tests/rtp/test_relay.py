"""The bridge's numbering: one unbroken stream for the far end, with the network's losses left visible."""

from __future__ import annotations

from media_gateway.rtp.packet import RtpPacket, parse_rtp
from media_gateway.rtp.relay import Relay
from media_gateway.rtp.stream import SendStream


def packet(n: int, *, ssrc: int = 9, start: int = 7_000) -> RtpPacket:
    return RtpPacket(payload_type=0, sequence=(start + n) % 0x10000, timestamp=start + n * 160, ssrc=ssrc, payload=b"x")


def forwarded(relay: Relay, source: RtpPacket) -> RtpPacket:
    return parse_rtp(relay.forward(source, source.payload, 0))


def test_the_bridge_joins_on_to_what_the_leg_said_before() -> None:
    stream = SendStream(ssrc=1, sequence=100, timestamp=16_000)
    stream.packet(b"prompt")
    first = forwarded(Relay(stream=stream), packet(0))
    assert (first.ssrc, first.sequence, first.timestamp, first.marker) == (1, 101, 16_160, True)


def test_a_loss_before_us_stays_a_gap_behind_us() -> None:
    relay = Relay(stream=SendStream(ssrc=1, sequence=0, timestamp=0))
    out = [forwarded(relay, packet(n)) for n in (0, 1, 3)]
    assert [p.sequence for p in out] == [0, 1, 3]
    assert [p.timestamp for p in out] == [0, 160, 480]


def test_a_swapped_packet_does_not_turn_our_numbers_back() -> None:
    stream = SendStream(ssrc=1, sequence=0, timestamp=0)
    relay = Relay(stream=stream)
    for n in (0, 2, 1):
        forwarded(relay, packet(n))
    assert parse_rtp(stream.packet(b"after")).sequence == 3


def test_a_new_source_continues_our_stream() -> None:
    relay = Relay(stream=SendStream(ssrc=1, sequence=0, timestamp=0))
    forwarded(relay, packet(0))
    joined = forwarded(relay, packet(0, ssrc=10, start=60_000))
    assert (joined.ssrc, joined.sequence, joined.timestamp, joined.marker) == (1, 1, 160, True)


def test_the_sources_sequence_wrap_is_ours_too() -> None:
    relay = Relay(stream=SendStream(ssrc=1, sequence=10, timestamp=0))
    out = [forwarded(relay, packet(n, start=0xFFFF)) for n in range(3)]
    assert [p.sequence for p in out] == [10, 11, 12]
    assert [p.marker for p in out] == [True, False, False]
