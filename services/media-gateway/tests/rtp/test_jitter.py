"""The reorder buffer: order restored, gaps concealed, delay bounded, whatever the network does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.rtp import g711
from media_gateway.rtp.codec import Codec
from media_gateway.rtp.jitter import Arrival, JitterBuffer
from media_gateway.rtp.packet import RtpPacket


def packet(n: int, *, ssrc: int = 1, start: int = 0, payload: bytes | None = None) -> RtpPacket:
    return RtpPacket(
        payload_type=0,
        sequence=n % 0x10000,
        timestamp=(start + n * 160) % (1 << 32),
        ssrc=ssrc,
        payload=payload if payload is not None else bytes([n % 100]) * 160,
    )


def value(n: int) -> int:
    return int(g711.decode(Codec.PCMU, bytes([n % 100]))[0])


def pulled(buffer: JitterBuffer) -> int | None:
    frame = buffer.pop()
    assert frame is None or (frame.shape == (160,) and frame.dtype == np.int16)
    return None if frame is None else int(frame[0])


def test_nothing_plays_before_the_buffer_has_its_depth() -> None:
    buffer = JitterBuffer(depth_frames=2)
    buffer.push(packet(0), Codec.PCMU)
    assert pulled(buffer) is None
    buffer.push(packet(1), Codec.PCMU)
    assert pulled(buffer) == value(0)


def test_swapped_packets_come_out_in_order() -> None:
    buffer = JitterBuffer()
    for n in (1, 0, 3, 2):
        buffer.push(packet(n), Codec.PCMU)
    assert [pulled(buffer) for _ in range(4)] == [value(n) for n in range(4)]


def test_a_duplicate_is_not_played_twice() -> None:
    buffer = JitterBuffer()
    arrivals = [buffer.push(packet(n), Codec.PCMU) for n in (0, 1, 1)]
    assert arrivals == [Arrival.QUEUED, Arrival.QUEUED, Arrival.DUPLICATE]
    assert [pulled(buffer) for _ in range(2)] == [value(0), value(1)]


def test_a_lost_packet_is_concealed_quieter_and_its_late_copy_refused() -> None:
    buffer = JitterBuffer()
    for n in (0, 2, 3):
        buffer.push(packet(n), Codec.PCMU)
    assert [pulled(buffer) for _ in range(3)] == [value(0), value(0) >> 1, value(2)]
    assert buffer.push(packet(1), Codec.PCMU) is Arrival.LATE
    assert (buffer.concealed, buffer.late) == (1, 1)


def test_a_source_that_stops_fades_to_nothing_and_may_resume() -> None:
    buffer = JitterBuffer()
    for n in (0, 1):
        buffer.push(packet(n), Codec.PCMU)
    assert [pulled(buffer) for _ in range(6)][-1] is None
    for n in (100, 101):
        buffer.push(packet(n), Codec.PCMU)
    assert pulled(buffer) == value(100)


def test_a_new_ssrc_starts_anew_even_with_lower_timestamps() -> None:
    buffer = JitterBuffer()
    for n in (500, 501):
        buffer.push(packet(n), Codec.PCMU)
    pulled(buffer)
    assert buffer.push(packet(3, ssrc=2), Codec.PCMU) is Arrival.RESTARTED
    buffer.push(packet(4, ssrc=2), Codec.PCMU)
    assert pulled(buffer) == value(3)


def test_a_burst_does_not_add_lasting_delay() -> None:
    buffer = JitterBuffer(max_frames=10)
    for n in range(40):
        buffer.push(packet(n), Codec.PCMU)
    assert pulled(buffer) == value(30)
    assert buffer.dropped == 30


def test_timestamps_that_leave_the_grid_are_followed() -> None:
    buffer = JitterBuffer()
    for n in (0, 1):
        buffer.push(packet(n), Codec.PCMU)
    for n in (2, 3):
        buffer.push(packet(n, start=37), Codec.PCMU)
    assert [pulled(buffer) for _ in range(4)] == [value(n) for n in range(4)]
    assert buffer.concealed == 0


def test_the_timestamp_wrap_is_no_restart() -> None:
    buffer = JitterBuffer()
    arrivals = [buffer.push(packet(n, start=(1 << 32) - 320), Codec.PCMU) for n in range(4)]
    assert set(arrivals) == {Arrival.QUEUED}
    assert [pulled(buffer) for _ in range(4)] == [value(n) for n in range(4)]


def test_a_forty_millisecond_packet_plays_as_two_frames() -> None:
    buffer = JitterBuffer()
    buffer.push(packet(0, payload=b"\x01" * 160 + b"\x02" * 160), Codec.PCMU)
    assert [pulled(buffer) for _ in range(2)] == [value(1), value(2)]


@pytest.mark.parametrize("size", [0, 1, 80, 161])
def test_a_payload_that_is_no_whole_frame_is_refused(size: int) -> None:
    assert JitterBuffer().push(packet(0, payload=b"\x01" * size), Codec.PCMU) is Arrival.ODD_SIZE


@pytest.mark.parametrize("cycle", [20, 33, 50])
def test_cyclic_loss_of_two_to_five_percent_conceals_just_the_lost_frames(cycle: int) -> None:
    buffer = JitterBuffer()
    for n in range(1000):
        if n % cycle != 1:
            buffer.push(packet(n), Codec.PCMU)
        pulled(buffer)
    assert buffer.concealed == len(range(1, 1000, cycle))


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(1, 2))), max_size=60))
def test_any_arrivals_keep_the_buffer_bounded_and_drainable(steps: list[tuple[int, int] | None]) -> None:
    buffer = JitterBuffer()
    for step in steps:
        if step is None:
            pulled(buffer)
        else:
            timestamp, ssrc = step
            buffer.push(packet(0, start=timestamp % 4000 if timestamp % 3 else timestamp, ssrc=ssrc), Codec.PCMU)
    drained = [pulled(buffer) for _ in range(300)]
    assert drained[-1] is None
