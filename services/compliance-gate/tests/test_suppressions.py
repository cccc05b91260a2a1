"""Suppress: in force, announced, acknowledged and outlived by every grant before it answers; on both stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance_gate.domain.suppression import RowError, read_row, read_sheet
from compliance_gate.handlers.http import post_opt_out, post_suppressions
from compliance_gate.handlers.suppressions import on_suppression_submitted, suppress
from outdial_contracts.events import BlockReason, ComplianceCleared, SuppressionSource, SuppressionSubmitted
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.outcome import NOTHING, DeadLetter

READ_AT = datetime(2026, 11, 17, 17, 0, tzinfo=UTC)


async def test_answer_leaves_after_the_acknowledgement_and_one_grant_lifetime(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    message = pb.SuppressRequest(suppression_id="s1", attempt_id=cleared.attempt_id, seller_id="S1", source="AGENT")
    answer = await suppress(world.request(message), world.deps)
    changed, flushed, waited = world.outbox.steps
    assert (flushed, waited) == ("flush", 0.3)
    assert answer.reply.HasField("suppressed")
    assert changed.person_tokens == world.deps.tokens.person_tokens("person-1")
    assert sorted(changed.callee_tokens) == sorted(world.deps.tokens.callee_tokens("+12125550123"))
    assert len(changed.person_tokens) == 2  # under every key version


async def test_repeat_of_a_suppression_answers_with_the_first_time(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    message = pb.SuppressRequest(suppression_id="s1", attempt_id=cleared.attempt_id, source="AGENT")
    first = await suppress(world.request(message), world.deps)
    world.clock.advance(5)
    assert (await suppress(world.request(message), world.deps)).reply == first.reply


async def test_suppression_of_an_unknown_attempt_says_so(world: Any) -> None:
    for message in (pb.SuppressRequest(suppression_id="s1", attempt_id="nobody"), pb.SuppressRequest()):
        assert (await suppress(world.request(message), world.deps)).reply.HasField("unknown")
    assert world.outbox.steps == []


async def test_suppressed_attempt_binds_person_and_number_for_its_seller_only(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    await suppress(world.request(pb.SuppressRequest(attempt_id=cleared.attempt_id, source="AGENT")), world.deps)
    for changes in ({"phone": "+13125550100"}, {"person_id": "person-2"}):
        assert (await world.clear(a.offer(**changes))).reasons == (BlockReason.INTERNAL_DNC,)
    other_seller = a.offer(seller_id="S2", consents=(a.consent(consent_id="c2", seller_id="S2"),))
    assert isinstance(await world.clear(other_seller), ComplianceCleared)


async def test_suppression_topic_puts_in_force_without_waiting(world: Any, a: Any) -> None:
    event = SuppressionSubmitted(
        suppression_id="s9",
        seller_id="*",
        requested_at=a.now - timedelta(days=3),
        source=SuppressionSource.CRM,
        phone="+12125550123",
    )
    assert await on_suppression_submitted(world.received(event), world.deps) == NOTHING
    assert (await world.clear(a.offer())).reasons == (BlockReason.INTERNAL_DNC,)


async def test_suppression_without_a_good_subject_is_a_dead_letter(fake: Any, a: Any) -> None:
    base: dict[str, Any] = {
        "suppression_id": "s",
        "seller_id": "*",
        "requested_at": a.now,
        "source": SuppressionSource.CRM,
    }
    for phone in (None, "12"):
        event = SuppressionSubmitted(**base, phone=phone)
        assert isinstance(await on_suppression_submitted(fake.received(event), fake.deps), DeadLetter)


async def test_file_of_suppressions_counts_bad_rows_and_puts_the_good_in_force(world: Any, a: Any) -> None:
    text = (
        "phone,person_id,seller_id,requested_at,source\n"
        "(212) 555-0123,,,,\n,person-7,S1,2026-01-02T03:04:05Z,CRM\n12,,,,\n,,,,\n,p,,yesterday,\n,p,,,GOSSIP\n"
    )
    answer = await post_suppressions(world.request(text.encode()), world.deps)
    assert answer.reply.body == {
        "rows": 6,
        "accepted": 2,
        "rejected": {"BAD_NUMBER": 1, "MISSING_FIELD": 1, "BAD_TIME": 1, "BAD_ENUM": 1},
    }
    assert world.outbox.steps[-2:] == ["flush", 0.3]
    assert (await world.clear(a.offer())).reasons == (BlockReason.INTERNAL_DNC,)


async def test_opt_out_over_http_is_the_same_suppression(world: Any, a: Any) -> None:
    body = b'{"phone": "+12125550123", "seller_id": "S1", "source": "WEB_FORM"}'
    answer = await post_opt_out(world.request(body), world.deps)
    assert answer.reply.status == 200
    assert answer.reply.body["suppression_id"]
    assert (await world.clear(a.offer())).reasons == (BlockReason.INTERNAL_DNC,)


@pytest.mark.parametrize(
    "body, status", [(b"[]", 422), (b"{", 422), (b'{"phone": 5}', 422), (b"{}", 422), (b'{"attempt_id": "x"}', 404)]
)
async def test_bad_opt_out_is_a_problem_that_shows_no_value(fake: Any, body: bytes, status: int) -> None:
    answer = await post_opt_out(fake.request(body), fake.deps)
    assert answer.reply.status == status
    assert answer.reply.content_type == "application/problem+json"


@given(text=st.text(max_size=300))
def test_no_text_breaks_the_suppression_reader(text: str) -> None:
    sheet = read_sheet(text, READ_AT, {})
    assert sheet.rows == len(sheet.wanted) + sum(sheet.rejected.values())


@given(row=st.dictionaries(st.sampled_from(["phone", "person_id", "requested_at", "source"]), st.text(max_size=30)))
def test_row_is_taken_or_refused_with_a_known_word(row: dict[str, str]) -> None:
    try:
        outcome = "taken" if read_row(row, READ_AT, {}).suppression_id else "no id"
    except RowError as error:
        outcome = str(error)
    assert outcome in {"taken", "MISSING_FIELD", "BAD_NUMBER", "BAD_TIME", "BAD_ENUM"}
