"""Offer and answer for one G.711 stream."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from media_gateway.sip.sdp import Codec, Direction, answer, offer, parse_sdp

CARRIER = (
    b"v=0\r\no=SBC 123 456 IN IP4 192.0.2.1\r\ns=call\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendrecv\r\n"
    b"m=video 6000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    b"m=audio 49170/2 RTP/AVP 18 8 97 0\r\nc=IN IP4 192.0.2.7/127\r\n"
    b"a=rtpmap:18 G729/8000\r\na=rtpmap:8 pcma/8000/1\r\na=rtpmap:97 telephone-event/8000\r\n"
    b"a=ptime:30\r\na=sendonly\r\n"
)


def test_carrier_offer_is_reduced_to_what_we_carry() -> None:
    sdp = parse_sdp(CARRIER)
    assert (sdp.address, sdp.port) == ("192.0.2.7", 49170)
    assert sdp.codecs == (Codec.PCMA, Codec.PCMU)
    assert sdp.payload_types == (8, 0)
    assert (sdp.dtmf_payload_type, sdp.ptime_ms, sdp.direction) == (97, 30, Direction.SENDONLY)


def test_answer_takes_one_codec_mirrors_direction_and_refuses_the_video_in_its_place() -> None:
    body = answer(parse_sdp(CARRIER), address="10.0.0.1", port=40000, session_id=9).to_bytes()
    lines = body.decode().split("\r\n")
    assert [line for line in lines if line.startswith("m=")] == ["m=video 0 RTP/AVP 96", "m=audio 40000 RTP/AVP 8 97"]
    assert "a=recvonly" in lines
    assert "a=ptime:20" in lines


def test_own_offer_is_read_again_unchanged_but_for_its_numbers() -> None:
    sent = offer(address="2001:db8::1", port=40000, session_id=7)
    assert b"c=IN IP6 2001:db8::1" in sent.to_bytes()
    assert replace(parse_sdp(sent.to_bytes()), session_id=7, version=7) == sent


def test_offer_without_g711_has_no_codecs_and_no_answer() -> None:
    sdp = parse_sdp(b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 18\r\n")
    assert sdp.codecs == ()
    with pytest.raises(LocalProtocolError):
        answer(sdp, address="10.0.0.1", port=1, session_id=1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=video 1 RTP/AVP 96\r\n",
        b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 70000 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP x\r\n",
        b"v=0\r\nc=IN IP4\r\nm=audio 4000 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio\r\n",
    ],
)
def test_unusable_description_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_sdp(body)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(CARRIER)), st.integers(0, 20), st.binary(max_size=10))
def test_damaged_description_raises_nothing_but_the_remote_error(at: int, cut: int, put: bytes) -> None:
    with suppress(RemoteProtocolError):
        sdp = parse_sdp(CARRIER[:at] + put + CARRIER[at + cut :])
        sdp.to_bytes()
