"""RFC 6455 on the server's side, without I/O: the handshake's answer, frames to send, frames received.

Only what a server that speaks and does not listen needs: no extension is agreed to (so no compression), and data frames
of a client are checked and dropped, so nothing has to be put together from fragments.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
VERSION = "13"
KEY_BYTES = 16
LONGEST_CONTROL_BYTES = 125
LONGEST_FRAME_BYTES = 65_536
"""Of a client, who has nothing to say."""
FIN, MASKED = 0x80, 0x80


class Opcode(IntEnum):
    """RFC 6455, 5.2."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(IntEnum):
    """RFC 6455, 7.4.1."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013


class BadHandshake(Exception):
    """The request is no WebSocket handshake; the text names the header."""


class RemoteProtocolError(Exception):
    """The client broke the protocol; `code` is what to close with."""

    def __init__(self, code: CloseCode, what: str) -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One received frame, unmasked."""

    opcode: Opcode
    payload: bytes


def handshake_reply(headers: Mapping[str, str]) -> bytes:
    """The 101 to a GET whose header names are in lower case. Raises BadHandshake."""
    if headers.get("sec-websocket-version") != VERSION:
        raise BadHandshake(f"sec-websocket-version: want {VERSION}")
    key = headers.get("sec-websocket-key", "")
    try:
        decoded = base64.b64decode(key, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) != KEY_BYTES:
        raise BadHandshake(f"sec-websocket-key: want {KEY_BYTES} bytes in base64")
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()).decode()
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(opcode: Opcode, payload: bytes) -> bytes:
    """A whole frame of a server: final, unmasked."""
    size = len(payload)
    if size <= LONGEST_CONTROL_BYTES:
        head = bytes((FIN | opcode, size))
    elif size < 1 << 16:
        head = bytes((FIN | opcode, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((FIN | opcode, 127)) + size.to_bytes(8, "big")
    return head + payload


def close_frame(code: CloseCode) -> bytes:
    """A close with its code and no words."""
    return frame(Opcode.CLOSE, code.to_bytes(2, "big"))


class FrameReader:
    """Bytes of a client in, frames out; fed whole or byte by byte."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now. Raises RemoteProtocolError."""
        self._buffer += data
        found = []
        while (one := self._next()) is not None:
            found.append(one)
        return found

    def _next(self) -> Frame | None:
        if len(self._buffer) < 2:
            return None
        opcode = _opcode(self._buffer[0], self._buffer[1])
        length, start = self._length()
        if length is None:
            return None
        if length > LONGEST_FRAME_BYTES:
            raise RemoteProtocolError(CloseCode.TOO_BIG, "a frame longer than a client may send")
        end = start + 4 + length
        if len(self._buffer) < end:
            return None
        mask, masked = self._buffer[start : start + 4], self._buffer[start + 4 : end]
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
        del self._buffer[:end]
        return Frame(opcode=opcode, payload=payload)

    def _length(self) -> tuple[int | None, int]:
        """(payload bytes, where the mask begins); None while the length itself is not here."""
        short = self._buffer[1] & 0x7F
        if short < 126:
            return short, 2
        end = 4 if short == 126 else 10
        if len(self._buffer) < end:
            return None, end
        return int.from_bytes(self._buffer[2:end], "big"), end


def _opcode(first: int, second: int) -> Opcode:
    if first & 0x70:
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed on")
    if not second & MASKED:
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "a client's frame must be masked")
    try:
        opcode = Opcode(first & 0x0F)
    except ValueError:
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "an unknown opcode") from None
    if opcode >= Opcode.CLOSE and (not first & FIN or second & 0x7F > LONGEST_CONTROL_BYTES):
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "a control frame must be short and whole")
    return opcode
