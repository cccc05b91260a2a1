"""Damaged bytes never become an event, and every refusal names its dead-letter reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outdial_contracts.codec import CodecError, UnknownSchema, WrongTopic, decode, encode
from outdial_contracts.events import LeadSubmitted, LineType, Phone
from outdial_contracts.registry import SCHEMAS
from outdial_contracts.topics import TOPICS
from outdial_testing.examples import load_examples


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_event_cut_at_any_byte_is_refused(topic: str) -> None:
    whole = encode(load_examples(topic)[0])
    for length in range(len(whole)):
        with pytest.raises(CodecError) as refused:
            decode(whole[:length], topic)
        assert refused.value.reason == "MALFORMED"


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_trailing_bytes_are_refused(topic: str) -> None:
    with pytest.raises(CodecError, match="bytes after the record"):
        decode(encode(load_examples(topic)[0]) + b"\x00", topic)


def test_schema_id_that_was_never_released_is_named() -> None:
    unknown = max(SCHEMAS) + 1
    data = b"\x00" + unknown.to_bytes(4, "big") + encode(load_examples("stop.changed")[0])[5:]
    with pytest.raises(UnknownSchema, match=str(unknown)) as refused:
        decode(data, "stop.changed")
    assert refused.value.reason == "SCHEMA_UNKNOWN"


def test_good_event_on_another_topic_is_refused() -> None:
    with pytest.raises(WrongTopic, match=r"belongs to stop\.changed") as refused:
        decode(encode(load_examples("stop.changed")[0]), "team.owner")
    assert refused.value.reason == "WRONG_TOPIC"


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x01\x00\x00\x00\x01x", b'{"json": 1}'])
def test_bytes_outside_the_wire_format_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError, match="not the wire format"):
        decode(data, "stop.changed")


def test_refusal_does_not_repeat_the_content() -> None:
    data = encode(load_examples("lead.submitted")[0])
    with pytest.raises(CodecError) as refused:
        decode(data[:-3], "lead.submitted")
    assert "+1" not in str(refused.value)


def test_text_with_a_nul_is_refused_wherever_it_stands() -> None:
    """PostgreSQL holds none: the event would stop every consumer that stores it, again and again."""
    lead = load_examples("lead.submitted")[0]
    assert isinstance(lead, LeadSubmitted)
    for bad in (
        replace(lead, person_id="a\x00b"),
        replace(lead, attributes={"plan": "\x00"}),
        replace(lead, attributes={"\x00": "basic"}),
        replace(lead, phones=(Phone(number="\x00", default_region="US", line_type=LineType.UNKNOWN),)),
    ):
        with pytest.raises(CodecError, match="NUL") as refused:
            decode(encode(bad), "lead.submitted")
        assert refused.value.reason == "MALFORMED"


@pytest.mark.parametrize("name", ["attempt_id", "lead_id"])
@pytest.mark.parametrize("bad", ["", "7", "0F8B5F3E-5A2C-5D0B-9D5E-3C1F6A7B8C9D", "g" * 36])
def test_id_that_is_no_uuid_is_refused_by_name_and_length_only(name: str, bad: str) -> None:
    topic = "call.disposition"
    event = replace(load_examples(topic)[0], **{name: bad})
    with pytest.raises(CodecError, match=f"{name} is no UUID but {len(bad)} characters") as refused:
        decode(encode(event), topic)
    assert refused.value.reason == "MALFORMED"
