"""The lines of a ledger export, read back from bytes: records, checkpoints, and the manifest that ends it.

A line counts only when it is exactly its own canonical form, so that no two readers can see two things in it (a key
given twice, a number written otherwise). Nearly every line is checked by a fast decoder and encoder whose bytes are
the canonical form for ASCII text without floats; whatever they do not reproduce byte for byte goes the slow way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from compliance_gate.domain.ledger import canonical, record_hash

RECORD_KEYS = {"type", "chain_id", "seq", "previous", "kind", "body", "hash"}
CHECKPOINT_KEYS = {"type", "chain_id", "seq", "head", "root", "signature"}
MANIFEST_KEYS = {"type", "at", "chains", "sha256", "signature"}


class RecordLine(msgspec.Struct, forbid_unknown_fields=True):
    """A record's line; the fields stand in canonical order."""

    body: dict[str, Any]
    chain_id: str
    hash: str
    kind: str
    previous: str
    seq: int
    type: Literal["record"]


class _Float(ValueError):
    """A number that only Python's own encoder writes in the canonical way."""


def _no_float(text: str) -> float:
    raise _Float(text)


DECODE = msgspec.json.Decoder(RecordLine, float_hook=_no_float).decode
ENCODE = msgspec.json.Encoder(order="deterministic").encode


def record_line(line: bytes) -> tuple[RecordLine, str] | None:
    """A record and the hash that its content has, or None when the line is no canonical record.

    Args:
        line: without the newline.
    """
    fast = _fast_record(line)
    if fast is not None:
        return fast
    value = other_line(line)
    if value is None or value.keys() != RECORD_KEYS or value["type"] != "record":
        return None
    try:
        record = msgspec.convert(value, RecordLine)
    except (ValueError, RecursionError):
        return None
    return record, record_hash({name: value[name] for name in RECORD_KEYS - {"type", "hash"}})


def _fast_record(line: bytes) -> tuple[RecordLine, str] | None:
    if not line.isascii():
        return None
    try:
        record = DECODE(line)
        if ENCODE(record) != line:
            return None
    except (ValueError, RecursionError):
        return None
    # The content is the line without hash and type: both are cut out, the rest is canonical as it stands.
    stated = b',"hash":"%b"' % record.hash.encode()
    start = line.rfind(stated)
    if start < 0:
        return None
    content = hashlib.sha256(line[:start])
    content.update(line[start + len(stated) : -len(b',"type":"record"}')])
    content.update(b"}")
    return record, content.hexdigest()


def other_line(line: bytes) -> dict[str, Any] | None:
    """The object of any line that is exactly its canonical form, else None."""
    try:
        text = line.decode("ascii")
        value = json.loads(text)
        same = isinstance(value, dict) and canonical(value) == text
    except (ValueError, RecursionError):
        return None
    return value if same else None


def checkpoint_line(value: Mapping[str, Any]) -> bool:
    """Whether an object has a checkpoint's shape."""
    texts = ("chain_id", "head", "root", "signature")
    return (
        value.get("type") == "checkpoint"
        and value.keys() == CHECKPOINT_KEYS
        and all(isinstance(value[name], str) for name in texts)
        and type(value["seq"]) is int
        and value["seq"] >= 1
    )


def manifest_of(value: Mapping[str, Any]) -> bool:
    """Whether an object has a manifest's shape."""
    return (
        value.get("type") == "manifest"
        and value.keys() == MANIFEST_KEYS
        and isinstance(value["signature"], str)
        and isinstance(value["chains"], list)
        and all(_is_length(one) for one in value["chains"])
    )


def _is_length(one: Any) -> bool:
    shapes = (str, int, str, int, int)
    return isinstance(one, list) and len(one) == len(shapes) and all(map(isinstance, one, shapes))
