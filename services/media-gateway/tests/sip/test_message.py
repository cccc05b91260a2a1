"""What carriers and phones really send is read; what cannot be routed is refused by one kind of error."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from media_gateway.sip.message import Message, Request, Response, parse_message, respond
from media_gateway.sip.reason import q850_cause, retry_after_seconds
from media_gateway.sip.uri import parse_name_addr, parse_uri, parse_via

INVITE = (
    b"INVITE sip:+12125550123@carrier.example;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa1;rport, SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb2\r\n"
    b"Record-Route: <sip:10.0.0.9;lr>,<sip:10.0.0.8;lr>\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Acme \\"West\\", Inc" <sip:+12125550100@gw.example>;tag=f1\r\n'
    b"To: <sip:+12125550123@carrier.example>\r\n"
    b"Call-ID: 6f96.1@gw.example\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:10.0.0.1:5070;transport=UDP>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 4\r\n\r\nv=0\n"
)
COMPACT = (
    b"sip/2.0 183 Session Progress\r\n"
    b"v: SIP / 2.0 / udp  10.0.0.1 : 5070 ; branch = z9hG4bKa1\r\n"
    b"f:sip:+12125550100@gw.example;tag=f1\r\n"
    b't  : "callee"\r\n  <sip:+12125550123@carrier.example;transport=UDP>\r\n\t;TAG=t1\r\n'
    b"i: 6f96.1@gw.example\r\n"
    b"CSEQ:  1   INVITE\r\n"
    b'REASON: SIP ;cause=183, Q.850 ; cause=127 ;text="x,y"\r\n'
    b"retry-after: 18 (in a while);duration=60\r\n\r\nv=0\r\n"
)


def test_well_formed_invite_is_read_in_full() -> None:
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    assert message.via.branch == "z9hG4bKa1"
    assert message.via.param("rport") == ""
    assert message.every("Via")[1] == "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb2"
    assert message.every("record-route") == ("<sip:10.0.0.9;lr>", "<sip:10.0.0.8;lr>")
    assert message.from_.display == 'Acme "West", Inc'
    assert (message.from_tag, message.to_tag) == ("f1", "")
    assert message.body == b"v=0\n"


def test_compact_folded_lower_case_message_without_length_is_read() -> None:
    message = parse_message(COMPACT)
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (183, "Session Progress")
    assert (message.via.transport, message.via.sent_by) == ("UDP", "10.0.0.1:5070")
    assert message.to_tag == "t1"
    assert message.to.uri.param("transport") == "UDP"
    assert message.cseq == (1, "INVITE")
    assert message.body == b"v=0\r\n"
    assert q850_cause(message) == 127
    assert retry_after_seconds(message) == 18


def test_bare_line_feeds_and_leading_blank_lines_are_forgiven() -> None:
    assert parse_message(b"\r\n\r\n" + INVITE.replace(b"\r\n", b"\n")).body == b"v=0\n"


def test_bytes_beyond_the_content_length_are_not_body() -> None:
    assert parse_message(INVITE + b"trailing").body == b"v=0\n"


def test_what_is_written_is_read_again_unchanged() -> None:
    message = parse_message(INVITE)
    assert parse_message(message.to_bytes()) == message


def test_every_truncation_is_refused() -> None:
    for length in range(len(INVITE)):
        with pytest.raises(RemoteProtocolError):
            parse_message(INVITE[:length])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"SIP/2.0\r\n", b"SIP/3.0\r\n"),
        (b"Call-ID: 6f96.1@gw.example\r\n", b""),
        (b"CSeq: 1 INVITE", b"CSeq: one INVITE"),
        (b"CSeq: 1 INVITE", b"CSeq: 1 BYE"),
        (b"CSeq: 1 INVITE", b"CSeq: 4294967296 INVITE"),
        (b"Content-Length: 4", b"Content-Length: 5"),
        (b"Content-Length: 4", b"Content-Length: -4"),
        (b"10.0.0.1:5070;branch", b"10.0.0.1:99999;branch"),
        (b"To: <sip:+12125550123@carrier.example>", b"To: <sip:+12125550123@carrier.example"),
        (b"Max-Forwards: 70", b"Max Forwards"),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\rX: y"),
    ],
)
def test_mangled_invite_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(INVITE.replace(old, new))


@pytest.mark.parametrize("line", [b"SIP/2.0 99 Low", b"SIP/2.0 700 High", b"SIP/2.0 2000 Long", b"SIP/2.0"])
def test_impossible_status_is_refused(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(COMPACT.replace(b"sip/2.0 183 Session Progress", line))


def test_errors_and_representations_show_no_number() -> None:
    message = parse_message(INVITE)
    assert "2125550123" not in repr(message)
    assert "2125550123" not in repr(message.to.uri)
    with pytest.raises(RemoteProtocolError) as caught:
        parse_message(INVITE.replace(b"To: <sip:", b"To: <mailto:"))
    assert "2125550123" not in str(caught.value)


def test_line_break_in_a_value_never_leaves() -> None:
    request = Request(method="INVITE", uri="sip:x@h", headers=(("X-Traceparent", "a\r\nVia: forged"),))
    with pytest.raises(LocalProtocolError):
        request.to_bytes()


def test_response_copies_every_hop_and_tags_once() -> None:
    request = parse_message(INVITE)
    assert isinstance(request, Request)
    response = respond(request, 200, to_tag="mine")
    assert response.every("Via") == request.every("Via")
    assert response.every("Record-Route") == request.every("Record-Route")
    assert response.to_tag == "mine"


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:+1212;phone-context=x@h.example:5062;transport=UDP?a=b", "+1212;phone-context=x", "h.example", 5062),
        ("SIPS:[2001:db8::1]", None, "[2001:db8::1]", None),
        ("tel:+12125550100;ext=1", "+12125550100", "", None),
    ],
)
def test_uris_of_every_kind_are_read(text: str, user: str | None, host: str, port: int | None) -> None:
    uri = parse_uri(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)


def test_bracketless_parameters_belong_to_the_header() -> None:
    bare = parse_name_addr("sip:a@h;tag=1")
    assert (bare.param("tag"), bare.uri.params) == ("1", ())


ALPHABET = st.sampled_from(
    [b"\r\n", b"\r\n\r\n", b" ", b":", b";", b'"', b"<", b">", b",", b"=", b"sip:", b"\x00", b"9"]
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.lists(ALPHABET | st.binary(max_size=8), max_size=40).map(b"".join))
def test_garbage_raises_nothing_but_the_remote_error(data: bytes) -> None:
    with suppress(RemoteProtocolError):
        parse_message(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([INVITE, COMPACT]), st.integers(0, 500), st.integers(0, 30), ALPHABET | st.binary(max_size=12))
def test_damaged_message_raises_nothing_but_the_remote_error(data: bytes, at: int, cut: int, put: bytes) -> None:
    with suppress(RemoteProtocolError):
        message: Message = parse_message(data[:at] + put + data[at + cut :])
        q850_cause(message)
        retry_after_seconds(message)
        parse_message(message.to_bytes())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_as_a_value_raises_nothing_but_the_remote_error(text: str) -> None:
    for parse in (parse_uri, parse_name_addr, parse_via):
        with suppress(RemoteProtocolError):
            parse(text)
