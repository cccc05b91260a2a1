"""Bytes on the wire: SIP, digest, SDP, RTP and G.711, with their broken siblings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outdial_sim.hearing import Ear
from outdial_sim.wire import digest, g711, rtp, sdp, sip

INVITE = (
    b"INVITE sip:%2B12125550123@127.0.0.1:5090;user=phone SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKa;rport, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb\r\n"
    b'f: "A, B" <sip:+12125550101@10.0.0.1>;tag=from\r\nt: <sip:x@y>\r\ni: attempt.1@host\r\nCSeq: 7  INVITE\r\n'
    b"Subject: folded\r\n over two lines\r\nl: 4\r\n\r\nbodyrest"
)


def test_a_tolerant_parse_reads_compact_folded_and_listed_headers() -> None:
    message = sip.parse(INVITE)
    assert (message.method, message.body, message.cseq) == ("INVITE", b"body", (7, "INVITE"))
    assert [sip.parameter(via, "branch") for via in message.all("Via")] == ["z9hG4bKa", "z9hG4bKb"]
    assert (message.from_tag, message.to_tag, message.call_id) == ("from", None, "attempt.1@host")
    assert message.get("subject") == "folded over two lines"
    assert sip.uri_user(message.uri) == "+12125550123"


@pytest.mark.parametrize(
    "broken",
    [
        INVITE.replace(b"l: 4", b"l: 400"),
        INVITE.replace(b"i: attempt.1@host\r\n", b""),
        INVITE.replace(b"CSeq: 7  INVITE", b"CSeq: seven"),
        INVITE.replace(b" SIP/2.0\r\nv", b" SIP/3.0\r\nv"),
        INVITE[:40],
        b"SIP/2.0 99 Low\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
    ],
)
def test_what_is_not_sip_is_refused_and_not_half_read(broken: bytes) -> None:
    with pytest.raises(sip.MalformedMessage):
        sip.parse(broken)


@given(st.binary(max_size=300))
def test_no_datagram_raises_anything_but_malformed(data: bytes) -> None:
    for candidate in (data, INVITE[: len(data)] + data):
        try:
            sip.parse(candidate)
        except sip.MalformedMessage:
            continue


def test_a_response_copies_what_rfc_3261_wants_and_goes_to_the_source() -> None:
    request = sip.parse(INVITE)
    reply = sip.parse(sip.write(sip.response(request, 180, source=("192.0.2.1", 4000), to_tag="t")))
    assert reply.status == 180
    assert (
        reply.all("Via")[0].endswith(";rport=4000;branch=z9hG4bKa;received=192.0.2.1")
        or "rport=4000" in reply.all("Via")[0]
    )
    assert "received=192.0.2.1" in reply.all("Via")[0]
    assert len(reply.all("Via")) == 2
    assert (reply.to_tag, reply.from_tag, reply.need("CSeq")) == ("t", "from", "7  INVITE")
    assert sip.reply_address(request, ("192.0.2.1", 4000)) == ("192.0.2.1", 4000)


def test_a_peer_without_rport_is_answered_at_the_port_of_its_via() -> None:
    request = sip.parse(INVITE.replace(b";rport", b""))
    assert sip.reply_address(request, ("192.0.2.1", 4000)) == ("192.0.2.1", 5060)


def test_the_digest_is_that_of_rfc_2617() -> None:
    account = digest.Account(user="Mufasa", password="Circle Of Life")
    fields = {
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "uri": "/dir/index.html",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "0a4f113b",
    }
    assert digest.digest(account, "testrealm@host.com", "GET", fields) == "6629fae49393a05397450978507c4ef1"


def test_a_nonce_is_good_for_its_time_only_and_only_from_its_maker() -> None:
    account = digest.Account(user="u", password="p")
    guard = digest.Guard(account=account, realm="carrier", key=b"k")
    answer = digest.credentials(guard.challenge(1000.0), account, method="INVITE", uri="sip:a@b", cnonce="c")
    assert guard.check(answer, "INVITE", 1001.0) is digest.Verdict.ACCEPTED
    assert guard.check(answer, "INVITE", 9000.0) is digest.Verdict.STALE
    assert guard.check(answer, "BYE", 1001.0) is digest.Verdict.WRONG
    assert guard.check(None, "INVITE", 1001.0) is digest.Verdict.MISSING
    stranger = digest.Guard(account=account, realm="carrier", key=b"other")
    assert stranger.check(answer, "INVITE", 1001.0) is digest.Verdict.STALE


def test_an_answer_takes_the_first_codec_and_keeps_the_event_type() -> None:
    offered = sdp.parse(sdp.offer("127.0.0.1", 4000, 1).replace(b"0 8 101", b"8 0 101"))
    answer = sdp.parse(sdp.answer(offered, "127.0.0.1", 5000, 2))
    assert (answer.port, answer.codecs, answer.event_type) == (5000, (8,), 101)


def test_a_stream_of_one_format_is_read() -> None:
    body = b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n"
    stream = sdp.parse(body)
    assert (stream.codecs, stream.event_type, stream.direction) == ((0,), None, "sendonly")
    assert b"a=recvonly" in sdp.answer(stream, "127.0.0.1", 1, 1)


@pytest.mark.parametrize(
    "body", [b"", b"v=0\r\nm=video 1 RTP/AVP 0\r\n", b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP 9\r\n"]
)
def test_a_description_without_usable_audio_is_refused(body: bytes) -> None:
    with pytest.raises(sdp.MalformedSdp):
        sdp.parse(body)


def test_rtp_is_numbered_and_its_clock_runs_through_gaps() -> None:
    packets = rtp.Packetiser(ssrc=9, sequence=0xFFFF, timestamp=0xFFFFFFFF - 159)
    first, second = rtp.unpack(packets.pack(0, b"a" * 160)), rtp.unpack(packets.pack(0, b"b" * 160))
    packets.skip(160)
    raw = packets.pack(0, b"c" * 160)
    third = rtp.unpack(raw)
    assert first is not None
    assert second is not None
    assert third is not None
    assert [first.sequence, second.sequence, third.sequence] == [0xFFFF, 0, 1]
    assert [second.timestamp, third.timestamp] == [0, 320]
    assert raw[1] & 0x80


@given(st.binary(max_size=64))
def test_no_packet_breaks_the_rtp_reader(data: bytes) -> None:
    packet = rtp.unpack(data)
    assert packet is None or len(packet.payload) <= len(data) - 12


def test_padding_extension_and_sources_are_not_payload() -> None:
    header = bytes([0x80 | 0x20 | 0x10 | 1, 0]) + bytes(10)
    data = header + bytes(4) + bytes([0xBE, 0xDE, 0, 1]) + bytes(4) + b"voice" + bytes([0, 0, 3])
    packet = rtp.unpack(data)
    assert packet is not None
    assert packet.payload == b"voice"


def test_g711_keeps_a_tone_within_its_quantisation_in_both_laws() -> None:
    tone = (12000 * np.sin(np.arange(800) / 5)).astype(np.int16)
    ulaw = g711.ulaw_encode(tone)
    assert np.abs(g711.ulaw_decode(ulaw).astype(int) - tone).max() <= 512
    assert np.abs(g711.alaw_decode(g711.ulaw_to_alaw(ulaw)).astype(int) - tone).max() <= 1024
    assert g711.ulaw_encode(np.zeros(3, np.int16)) == b"\xff\xff\xff"


def test_an_ear_hears_speech_from_its_first_frame_and_not_a_click() -> None:
    ear = Ear()
    loud = g711.ulaw_encode((8000 * np.sin(np.arange(160) / 3)).astype(np.int16))
    frames = [g711.SILENCE, loud, g711.SILENCE, g711.SILENCE, g711.SILENCE, g711.SILENCE, loud, loud, loud]
    heard = [ear.hear(frame, place * 0.02) for place, frame in enumerate(frames)]
    assert heard == [False] * 8 + [True]
    assert ear.speech_first_at == pytest.approx(0.12)
    assert ear.speaking(0.3)
    assert not ear.speaking(1.0)
