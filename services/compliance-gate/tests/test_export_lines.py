"""A line of an export counts only in its one canonical form, whichever way it was checked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance_gate.domain import export
from compliance_gate.domain.export import other_line, record_line
from compliance_gate.domain.ledger import Entry, Record, RecordKind, canonical, link

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text(), JSON, max_size=5)


def record(body: dict[str, Any], chain_id: str = "boot.decisions") -> Record:
    return link(chain_id, 7, "ab" * 32, Entry(kind=RecordKind.DECISION, body=body))


@given(BODIES, st.text(min_size=1))
def test_whatever_the_gate_writes_is_read_back_with_its_own_hash(body: dict[str, Any], chain_id: str) -> None:
    written = record(body, chain_id)
    line = written.line().encode()
    found = record_line(line)
    assert found is not None
    value, content_hash = found
    assert (content_hash, value.hash, value.chain_id, value.seq) == (written.hash, written.hash, chain_id, 7)
    assert other_line(line) is not None, "the slow way agrees"


@given(BODIES)
def test_the_fast_way_never_takes_what_the_slow_way_refuses(body: dict[str, Any]) -> None:
    line = record(body).line()
    for other in (line.replace(",", ", ", 1), line.replace(":", ": ", 1), line.replace("7", "7.0", 1), line + " "):
        if export._fast_record(other.encode()) is not None:
            assert other_line(other.encode()) is not None


@pytest.mark.parametrize(
    "body",
    [
        '{"a":1,"a":1}', '{"b":1,"a":1}', '{"a": 1}', '{"a":1e2}', '{"a":1.50}', '{"a":-0}', '{"a":"\\u0041"}',
        '{"a":"\\/"}', '{"a":"é"}', '{"a":"\\u00E9"}', '{"a":NaN}', '{"a":Infinity}', '[1]', '{"a":1}}', '{"a":1e400}',
        '{"a":1E16}', '{"a":1e16}',
    ],
)  # fmt: skip
def test_another_form_of_the_same_content_is_no_record(body: str) -> None:
    line = record({"a": 1}).line().replace('{"a":1}', body, 1)
    assert record_line(line.encode()) is None


@pytest.mark.parametrize(
    "body", [{"a": "é"}, {"a": 1.5}, {"a": 1e16}, {"a": 2**80}, {"a": "\x7f\x00"}, {"é": "\ud800"}]
)
def test_what_the_fast_way_does_not_write_alike_is_still_a_record(body: dict[str, Any]) -> None:
    found = record_line(record(body).line().encode())
    assert found is not None
    assert found[0].hash == found[1]


def test_more_or_fewer_fields_are_no_record() -> None:
    line = record({"a": 1}).line()
    assert record_line(line.replace(',"type":"record"', ',"type":"record","x":1').encode()) is None
    assert record_line(line.replace('"kind":"DECISION",', "").encode()) is None
    assert record_line(canonical({"type": "record"}).encode()) is None
