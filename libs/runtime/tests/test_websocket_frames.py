"""Frames and handshake as RFC 6455 prints them, fed whole and byte by byte; what breaks the rules is named."""

from __future__ import annotations

import pytest

from outdial_runtime.websocket_frames import (
    BadHandshake,
    CloseCode,
    Frame,
    FrameReader,
    Opcode,
    RemoteProtocolError,
    close_frame,
    frame,
    handshake_reply,
)

HANDSHAKE = {"sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
"""RFC 6455, 5.7: a masked "Hello"."""


def test_the_accept_key_is_the_rfcs() -> None:
    reply = handshake_reply(HANDSHAKE)
    assert reply.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in reply
    assert b"Extensions" not in reply


@pytest.mark.parametrize("name, value", [("sec-websocket-version", "8"), ("sec-websocket-key", "short")])
def test_a_handshake_that_is_none_is_named(name: str, value: str) -> None:
    with pytest.raises(BadHandshake, match=name):
        handshake_reply(HANDSHAKE | {name: value})


def test_a_masked_frame_is_read_whole_and_byte_by_byte() -> None:
    hello = [Frame(opcode=Opcode.TEXT, payload=b"Hello")]
    assert FrameReader().feed(HELLO) == hello
    reader = FrameReader()
    assert [found for byte in HELLO for found in reader.feed(bytes((byte,)))] == hello


def test_two_frames_in_one_read_are_two() -> None:
    assert len(FrameReader().feed(HELLO + HELLO)) == 2


@pytest.mark.parametrize("size, head", [(5, "8105"), (125, "817d"), (126, "817e007e"), (65536, "817f0000000000010000")])
def test_a_length_takes_the_shortest_form(size: int, head: str) -> None:
    made = frame(Opcode.TEXT, b"x" * size)
    assert made[: len(bytes.fromhex(head))].hex() == head
    assert len(made) == len(bytes.fromhex(head)) + size


def test_a_close_says_its_code() -> None:
    assert close_frame(CloseCode.GOING_AWAY).hex() == "880203e9"


@pytest.mark.parametrize(
    "what, code",
    [
        ("8105", CloseCode.PROTOCOL_ERROR),  # not masked
        ("c180", CloseCode.PROTOCOL_ERROR),  # a reserved bit: compression was not agreed on
        ("8380", CloseCode.PROTOCOL_ERROR),  # unknown opcode
        ("0980", CloseCode.PROTOCOL_ERROR),  # a ping in fragments
        ("89fe007e", CloseCode.PROTOCOL_ERROR),  # a ping of 126 bytes
        ("82ff0000000000100000", CloseCode.TOO_BIG),
    ],
)
def test_a_client_that_breaks_the_rules_is_told_which(what: str, code: CloseCode) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        FrameReader().feed(bytes.fromhex(what))
    assert error.value.code is code
