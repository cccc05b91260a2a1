"""What we write into headers and what we believe we lost."""

from __future__ import annotations

import pytest

from media_gateway.rtp.packet import RtpPacket, parse_rtp
from media_gateway.rtp.stream import ReceiveStats, SendStream


def packet(sequence: int, *, ssrc: int = 1, timestamp: int | None = None) -> RtpPacket:
    stamp = (sequence * 160 if timestamp is None else timestamp) % (1 << 32)
    return RtpPacket(payload_type=0, sequence=sequence % 0x10000, timestamp=stamp, ssrc=ssrc, payload=b"\xff" * 160)


def receive(sequences: list[int], *, ssrc: int = 1, stats: ReceiveStats | None = None) -> ReceiveStats:
    stats = stats or ReceiveStats()
    for sequence in sequences:
        stats.on_packet(packet(sequence, ssrc=ssrc), sequence * 0.02)
    return stats


def test_sequence_and_timestamp_wrap_as_the_receiver_expects() -> None:
    stream = SendStream(ssrc=7, sequence=0xFFFF, timestamp=0xFFFFFFFF - 79)
    first, second = (parse_rtp(stream.packet(b"\xff" * 160)) for _ in range(2))
    assert (first.sequence, second.sequence) == (0xFFFF, 0)
    assert (second.timestamp - first.timestamp) % (1 << 32) == 160


def test_marker_opens_each_talk_spurt_and_the_clock_runs_through_the_pause() -> None:
    stream = SendStream(ssrc=7, sequence=0, timestamp=0)
    before = [parse_rtp(stream.packet(b"\xff" * 160)) for _ in range(2)]
    stream.skip_frames(50)
    after = parse_rtp(stream.packet(b"\xff" * 160))
    assert [p.marker for p in (*before, after)] == [True, False, True]
    assert after.timestamp == 160 * 52
    assert after.sequence == 2


def test_reports_of_one_key_press_share_its_timestamp() -> None:
    stream = SendStream(ssrc=7, sequence=0, timestamp=4000)
    reports = [parse_rtp(stream.event_packet(b"\x09\x0a\x00\xa0", 101, first=i == 0)) for i in range(3)]
    assert {r.timestamp for r in reports} == {4000}
    assert [r.marker for r in reports] == [True, False, False]


def test_cyclic_loss_is_counted_exactly() -> None:
    report = receive([n for n in range(1000) if n % 20 != 7]).report()
    assert (report.expected, report.lost) == (1000, 50)
    assert report.loss_fraction == 0.05


def test_loss_across_the_sequence_wrap_is_counted_once() -> None:
    report = receive([n for n in range(0xFFF0, 0x10010) if n != 0x10000]).report()
    assert (report.expected, report.lost) == (32, 1)


def test_reordered_and_repeated_packets_are_no_loss() -> None:
    report = receive([0, 2, 1, 3, 3, 4]).report()
    assert (report.expected, report.lost, report.duplicates_and_late) == (5, 0, 2)


def test_a_new_source_keeps_the_old_ones_losses() -> None:
    stats = receive([0, 1, 3])
    report = receive([40_000, 40_001], ssrc=2, stats=stats).report()
    assert (report.expected, report.lost, report.source_changes) == (6, 1, 1)


def test_jitter_of_a_steady_stream_is_zero_and_of_an_alternating_one_its_swing() -> None:
    assert receive(list(range(200))).report().jitter_ms == pytest.approx(0.0, abs=0.001)
    swinging = ReceiveStats()
    for n in range(500):
        swinging.on_packet(packet(n), n * 0.02 + (0.004 if n % 2 else 0.0))
    assert swinging.report().jitter_ms == pytest.approx(4.0, rel=0.05)


def test_nothing_received_reads_as_zero() -> None:
    report = ReceiveStats().report()
    assert (report.expected, report.lost, report.loss_fraction) == (0, 0, 0.0)
