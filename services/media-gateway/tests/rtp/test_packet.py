"""RTP on the wire: what a stranger sends to an open port is refused by name, never by a surprise."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.rtp.packet import (
    PacketError,
    PacketFault,
    RtpPacket,
    TelephoneEvent,
    pack_rtp,
    pack_telephone_event,
    parse_rtp,
    parse_telephone_event,
    sequence_distance,
)

PLAIN = bytes.fromhex("8080 1234 0000a000 deadbeef") + b"\xff" * 160
WITH_CSRC = bytes.fromhex("8200 0001 00000000 00000001 aaaaaaaa bbbbbbbb") + b"\x01\x02"
WITH_EXTENSION = bytes.fromhex("9000 0001 00000000 00000001 bede0001 10ff0000") + b"\x01\x02"
WITH_PADDING = bytes.fromhex("a000 0001 00000000 00000001") + b"\x01\x02" + b"\x00\x00\x03"

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 63),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=480),
    marker=st.booleans(),
)


def test_a_captured_packet_reads_field_by_field() -> None:
    packet = parse_rtp(PLAIN)
    assert (packet.payload_type, packet.marker, packet.sequence) == (0, True, 0x1234)
    assert (packet.timestamp, packet.ssrc, packet.payload) == (0xA000, 0xDEADBEEF, b"\xff" * 160)


@pytest.mark.parametrize("wire", [WITH_CSRC, WITH_EXTENSION, WITH_PADDING])
def test_csrc_extension_and_padding_are_not_played_as_audio(wire: bytes) -> None:
    assert parse_rtp(wire).payload == b"\x01\x02"


@pytest.mark.parametrize(
    ("wire", "fault"),
    [
        (b"", PacketFault.TOO_SHORT),
        (PLAIN[:11], PacketFault.TOO_SHORT),
        (b"\x40" + PLAIN[1:], PacketFault.WRONG_VERSION),
        (b"\x80\xc8" + PLAIN[2:], PacketFault.RTCP),
        (WITH_CSRC[:19], PacketFault.TRUNCATED_CSRC),
        (WITH_EXTENSION[:15], PacketFault.TRUNCATED_EXTENSION),
        (WITH_EXTENSION[:19], PacketFault.TRUNCATED_EXTENSION),
        (WITH_PADDING[:-1] + b"\x00", PacketFault.BAD_PADDING),
        (WITH_PADDING[:-1] + b"\x06", PacketFault.BAD_PADDING),
        (WITH_PADDING[:12], PacketFault.BAD_PADDING),
    ],
)
def test_malformed_packets_are_refused_by_name(wire: bytes, fault: PacketFault) -> None:
    with pytest.raises(PacketError) as refused:
        parse_rtp(wire)
    assert refused.value.fault is fault


@given(packets)
def test_what_we_pack_we_parse(packet: RtpPacket) -> None:
    assert parse_rtp(pack_rtp(packet)) == packet


@given(st.binary(max_size=80))
def test_no_bytes_crash_the_parsers(data: bytes) -> None:
    for parse in (parse_rtp, parse_telephone_event):
        with contextlib.suppress(PacketError):
            parse(data)


@given(packets, st.integers(0, 11))
def test_every_truncation_of_the_header_is_refused(packet: RtpPacket, length: int) -> None:
    with pytest.raises(PacketError):
        parse_rtp(pack_rtp(packet)[:length])


def test_a_pressed_nine_reads_as_nine() -> None:
    event = parse_telephone_event(bytes.fromhex("098a0320"))
    assert event == TelephoneEvent(event=9, end=True, volume_dbm0=10, duration=800)
    assert event.digit == "9"
    assert pack_telephone_event(event) == bytes.fromhex("098a0320")


def test_an_event_beyond_the_keypad_has_no_digit() -> None:
    assert parse_telephone_event(bytes.fromhex("100a0000")).digit is None


@pytest.mark.parametrize(
    ("payload", "fault"), [(b"\x09\x8a\x03", PacketFault.TOO_SHORT), (b"\x09\x4a\x03\x20", PacketFault.RESERVED_BIT)]
)
def test_malformed_events_are_refused_by_name(payload: bytes, fault: PacketFault) -> None:
    with pytest.raises(PacketError) as refused:
        parse_telephone_event(payload)
    assert refused.value.fault is fault


@given(st.integers(0, 0xFFFF), st.integers(-0x8000, 0x7FFF))
def test_sequence_distance_survives_the_wrap(earlier: int, step: int) -> None:
    assert sequence_distance((earlier + step) % 0x10000, earlier) == step
