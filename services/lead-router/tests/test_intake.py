"""CSV, HTTP and topic: one admission, every row accounted for, no value in any error."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lead_router.domain.csvfile import BadHeader, read_rows
from lead_router.domain.rows import OPTIONAL, REQUIRED
from lead_router.handlers.imports import post_import
from lead_router.handlers.intake import delete_lead, on_lead_submitted, post_lead
from lead_router.handlers.reads import get_campaign_leads, get_lead, rpc_get_lead
from outdial_contracts import events as ev
from outdial_contracts import identity
from outdial_contracts.rpc.outdial_pb2 import GetLeadRequest
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop
from outdial_runtime.service import Answer

if TYPE_CHECKING:
    from conftest import Desk

HEADER = ",".join((*REQUIRED, *OPTIONAL))
GOOD = {"lead_id": "L1", "person_id": "P1", "phone": "+12125550101"}


def line(**values: str) -> str:
    row = {**GOOD, **values}
    return ",".join(row.get(name, "") for name in (*REQUIRED, *OPTIONAL))


def file(*lines: str | bytes) -> bytes:
    return b"\n".join(text.encode() if isinstance(text, str) else text for text in (HEADER, *lines))


async def upload(desk: Desk, body: bytes, **query: str) -> dict[str, Any]:
    return await desk.upload(body, campaign_id="c1", source="crm", **query)


@pytest.mark.parametrize(
    "bad, reason",
    [
        (line(phone=""), "MISSING_FIELD"),
        (line(consent_level="pewc"), "MISSING_FIELD"),
        (line(first_name="x").encode().replace(b",x,", b",\xff\xfe,"), "BAD_ENCODING"),
        (line(phone="1-800-FLOWERS"), "BAD_NUMBER"),
        (line(phone_2="12345"), "BAD_NUMBER"),
        (line(line_type="fax"), "BAD_ENUM"),
        (line(consumer="maybe"), "BAD_ENUM"),
        (line(time_zone="America/Nowhere"), "BAD_ENUM"),
        (line(expires_at="2026-12-01T00:00:00"), "BAD_TIME"),
        (line(consent_level="pec", consent_granted_at="yesterday"), "BAD_TIME"),
        (line(last_transaction_at="last spring"), "BAD_TIME"),
        (line(contract_active="perhaps"), "BAD_ENUM"),
        (line(score="1.5"), "BAD_SCORE"),
        (line(score="nan"), "BAD_SCORE"),
        (line(expires_at="2026-11-17T15:00:00Z"), "EXPIRED"),
        (line() + ",one,more", "TOO_MANY_COLUMNS"),
        (line(first_name="x" * 257), "TOO_LONG"),
        (line(first_name="x" * 200_000), "TOO_LONG"),
    ],
)
async def test_bad_row_is_counted_by_its_reason_and_the_next_is_read(desk: Desk, bad: str | bytes, reason: str) -> None:
    await desk.publish()
    reply = await upload(desk, file(bad, line(lead_id="L2", person_id="P2", phone="+12125550102")))
    assert (reply["rows"], reply["leads"], reply["rejected"]) == (2, 1, {reason: 1})
    assert reply["errors"][0]["row"] == 1


@pytest.mark.parametrize(
    "second, reason",
    [
        (line(person_id="P2", phone="+12125550102"), "DUPLICATE_LEAD_ID"),
        (line(lead_id="L2", phone="+12125550102"), "DUPLICATE_PERSON"),
        (line(lead_id="L2", person_id="P2", phone="(212) 555-0101"), "DUPLICATE_NUMBER"),
        (line(lead_id="L2", person_id="P2", phone="+12125550102", phone_2="+12125550101"), "DUPLICATE_NUMBER"),
    ],
)
async def test_duplicates_are_found_in_the_file_and_in_the_store(desk: Desk, second: str, reason: str) -> None:
    await desk.publish()
    both = await upload(desk, file(line(), second))
    assert (both["leads"], both["rejected"]) == (1, {reason: 1})
    again = await upload(desk, file(second))
    assert (again["leads"], again["rejected"]) == (0, {reason: 1})


async def test_errors_show_the_shape_and_never_the_value(desk: Desk) -> None:
    await desk.publish()
    reply = await upload(desk, file(line(phone="+1212555999"), line(score="secret-score")))
    assert reply["errors"][0] == {
        "row": 1,
        "reason": "BAD_NUMBER",
        "field": "phone",
        "shape": "11 characters, 10 digits, leading +",
    }
    assert "1212555999" not in json.dumps(reply)
    assert "secret" not in json.dumps(reply)


async def test_dry_run_returns_the_valid_rows_and_stores_nothing(desk: Desk) -> None:
    await desk.publish()
    consent = {"consent_level": "pewc", "consent_granted_at": "2026-01-02T03:04:05Z", "consent_source": "web"}
    body = file(line(**consent), line(phone="bad"))
    reply = await upload(desk, body, dry_run="true")
    assert [(row["row"], row["phone"]) for row in reply["valid"]] == [(1, "+12125550101")]
    assert reply["valid"][0]["consents"][0]["level"] == "PEWC"
    assert json.loads(json.dumps(reply)) == reply
    assert await desk.store.sent() == []
    assert (await upload(desk, body))["leads"] == 1


async def test_relation_and_debt_of_a_lead_come_with_its_offer(desk: Desk) -> None:
    await desk.publish(purpose=ev.Purpose.COLLECTIONS)
    told = {"last_transaction_at": "2026-10-01T00:00:00Z", "contract_active": "true", "debt_id": "D-17"}
    plain = line(lead_id="L2", person_id="P2", phone="+12125550102")
    dry = await upload(desk, file(line(**told)), dry_run="true")
    assert dry["valid"][0]["relations"][0]["last_transaction_at"] == "2026-10-01T00:00:00+00:00"
    assert dry["valid"][0]["debt_id"] == "D-17"
    await upload(desk, file(line(**told), plain))
    await desk.demand(2)
    ready = {event.person_id: event for event in await desk.sent(ev.LeadReady)}
    [relation] = ready["P1"].relations
    assert (relation.seller_id, relation.as_of, relation.contract_active) == ("S1", desk.now, True)
    assert relation.last_transaction_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert ready["P1"].debt_id == "D-17"
    assert (ready["P2"].relations, ready["P2"].debt_id) == ((), None)


async def test_contract_that_ended_is_told_too(desk: Desk) -> None:
    await desk.publish()
    await upload(desk, file(line(contract_active="false")))
    await desk.demand(1)
    [ready] = await desk.sent(ev.LeadReady)
    assert [relation.contract_active for relation in ready.relations] == [False]


async def test_unknown_columns_are_kept_and_bom_and_order_do_not_matter(desk: Desk) -> None:
    await desk.publish()
    reply = await upload(desk, b"\xef\xbb\xbfphone,plan,person_id,lead_id\r\n+12125550101,gold,P1,L1\r\n\r\n")
    assert (reply["rows"], reply["leads"]) == (1, 1)
    lead = await desk.lead(identity.lead_id("crm", "L1"))
    assert lead.attributes == {"plan": "gold"}
    assert (lead.segment, lead.score, lead.consumer) == (ev.Segment.COLD, 0.5, True)


@pytest.mark.parametrize("body", [b"", b"lead_id,phone\nL1,x", b"lead_id,person_id,phone,phone\n", b"\xff,lead_id\n"])
async def test_file_without_a_proper_header_is_a_problem_not_rows(desk: Desk, body: bytes) -> None:
    await desk.publish()
    answer = await post_import(desk.request(body, query={"campaign_id": "c1", "source": "crm"}), desk.deps)
    assert (answer.reply.status, answer.reply.content_type) == (422, "application/problem+json")


cells = st.one_of(
    st.sampled_from(["", "L1", "P1", "+12125550101", "+12125550102", "0.7", "2", "mobile", "2027-01-01T00:00:00Z"]),
    st.text(max_size=8),
)
lines = st.one_of(
    st.binary(max_size=40), st.lists(cells, max_size=5).map(lambda row: ",".join(row).encode("utf-8", "surrogatepass"))
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(lines, max_size=8))
@pytest.mark.parametrize("desk", ["memory"], indirect=True)
async def test_rows_are_leads_plus_rejected_whatever_the_file_holds(desk: Desk, rows: list[bytes]) -> None:
    await desk.publish()
    reply = await upload(desk, b"\n".join((b"lead_id,person_id,phone,score", *rows)), dry_run="true")
    assert reply["rows"] == reply["leads"] + sum(reply["rejected"].values())
    assert len(reply["errors"]) == sum(reply["rejected"].values())


@given(body=st.binary(max_size=200))
def test_any_bytes_are_rows_or_a_bad_header(body: bytes) -> None:
    try:
        rows = list(read_rows(body))
    except BadHeader:
        return
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))


async def post(desk: Desk, key: str = "k1", **fields: Any) -> Answer:
    body = {"campaign_id": "c1", "source": "crm", **GOOD, **fields}
    return await post_lead(desk.request(json.dumps(body).encode(), headers={"idempotency-key": key}), desk.deps)


async def test_repeated_post_is_answered_alike_and_stores_one_lead(desk: Desk) -> None:
    await desk.publish()
    first, second = await post(desk), await post(desk)
    assert (first.reply.status, second.reply.status) == (201, 200)
    assert first.reply.body == second.reply.body
    assert len(await desk.sent(ev.LeadState)) == 1


async def test_key_with_another_body_is_a_conflict(desk: Desk) -> None:
    await desk.publish()
    await post(desk)
    assert (await post(desk, phone="+12125550109")).reply.status == 409


async def test_refused_post_names_field_shape_and_rule_and_repeats_so(desk: Desk) -> None:
    await desk.publish()
    for answer in (await post(desk, phone="12345", score=0.5), await post(desk, phone="12345", score=0.5)):
        assert (answer.reply.status, answer.reply.content_type) == (422, "application/problem+json")
        body = answer.reply.body
        assert (body["field"], body["reason"], body["shape"]) == ("phone", "BAD_NUMBER", "5 characters, 5 digits")
        assert "12345" not in json.dumps(body)


async def test_post_without_key_body_or_campaign_is_refused(desk: Desk) -> None:
    assert (await post(desk)).reply.status == 404
    assert (await post(desk, key="")).reply.status == 400
    answer = await post_lead(desk.request(b"[1]", headers={"idempotency-key": "k"}), desk.deps)
    assert answer.reply.status == 400


async def test_expired_lead_is_not_admitted(desk: Desk) -> None:
    await desk.publish()
    answer = await post(desk, expires_at=desk.now.isoformat())
    assert answer.reply.body["reason"] == "EXPIRED"


async def test_text_that_can_not_be_stored_is_refused_at_every_door(desk: Desk) -> None:
    await desk.publish()
    assert (await post(desk, first_name="a\x00b")).reply.body["reason"] == "BAD_ENCODING"
    assert (await post(desk, key="k2", **{"x\ud800": "1"})).reply.body["reason"] == "BAD_ENCODING"
    assert (await post(desk, key="k3", campaign_id="c\x00")).reply.status == 404
    outcome = await on_lead_submitted(
        desk.received(submitted(submitted_at=desk.now, attributes={"x": "\x00"})), desk.deps
    )
    assert isinstance(outcome, DeadLetter)
    assert (await get_lead(desk.request(path={"lead_id": "\x00"}), desk.deps)).reply.status == 404


@pytest.mark.stack
async def test_concurrent_posts_of_one_key_and_of_one_person_store_one_lead(postgres_desk: Desk) -> None:
    desk = postgres_desk
    await desk.publish()
    same = await asyncio.gather(*(post(desk) for _ in range(5)))
    assert sorted(answer.reply.status for answer in same) == [200, 200, 200, 200, 201]
    others = await asyncio.gather(*(post(desk, key=f"p{n}", lead_id=f"X{n}", person_id="PX") for n in range(4)))
    assert {answer.reply.status for answer in others} == {422}
    assert len(await desk.sent(ev.LeadState)) == 1


def submitted(**changes: Any) -> ev.LeadSubmitted:
    values: dict[str, Any] = {
        "lead_id": identity.lead_id("crm", "L1"),
        "action": ev.LeadAction.SUBMIT,
        "source": "crm",
        "external_id": "L1",
        "person_id": "P1",
        "campaign_id": "c1",
        "consumer": True,
        "address": ev.Address(),
        "segment": ev.Segment.WARM,
        "score": 0.5,
        "submitted_at": "set by the test",
        "phones": (ev.Phone(number="212 555 0101", default_region="US", line_type=ev.LineType.MOBILE),),
        **changes,
    }
    return ev.LeadSubmitted(**values)


async def test_topic_admits_once_and_cancels(desk: Desk) -> None:
    message = desk.received(submitted(submitted_at=desk.now))
    assert await on_lead_submitted(message, desk.deps) is NOTHING
    assert await on_lead_submitted(message, desk.deps) == Drop("DUPLICATE_LEAD_ID")
    cancel = desk.received(submitted(submitted_at=desk.now, action=ev.LeadAction.CANCEL))
    assert await on_lead_submitted(cancel, desk.deps) is NOTHING
    assert await on_lead_submitted(cancel, desk.deps) is NOTHING
    assert [s.status for s in await desk.sent(ev.LeadState)] == [ev.LeadStatus.NEW, ev.LeadStatus.CANCELLED]


async def test_person_of_a_cancelled_lead_may_be_submitted_again(desk: Desk) -> None:
    await on_lead_submitted(desk.received(submitted(submitted_at=desk.now)), desk.deps)
    cancel = submitted(submitted_at=desk.now, action=ev.LeadAction.CANCEL)
    await on_lead_submitted(desk.received(cancel), desk.deps)
    again = submitted(submitted_at=desk.now, external_id="L2", lead_id=identity.lead_id("crm", "L2"))
    assert await on_lead_submitted(desk.received(again), desk.deps) is NOTHING


async def test_uncallable_lead_of_the_topic_is_a_dead_letter_without_the_number(desk: Desk) -> None:
    phone = ev.Phone(number="212 555", default_region="US", line_type=ev.LineType.MOBILE)
    outcome = await on_lead_submitted(desk.received(submitted(submitted_at=desk.now, phones=(phone,))), desk.deps)
    assert outcome == DeadLetter("BAD_NUMBER", "phone: BAD_NUMBER, 7 characters, 6 digits, 1 spaces")
    late = submitted(submitted_at=desk.now, expires_at=desk.now - timedelta(seconds=1))
    assert isinstance(await on_lead_submitted(desk.received(late), desk.deps), DeadLetter)


async def test_reads_show_no_number_but_to_the_agent(desk: Desk) -> None:
    await desk.publish()
    lead_id = (await post(desk, first_name="Ann")).reply.body["lead_id"]
    shown = await get_lead(desk.request(path={"lead_id": lead_id}), desk.deps)
    assert shown.reply.body["status"] == "NEW"
    assert "5550101" not in json.dumps(shown.reply.body)
    popped = (await rpc_get_lead(desk.request(GetLeadRequest(lead_id=lead_id)), desk.deps)).reply
    assert (popped.number, popped.first_name) == ("+12125550101", "Ann")
    counts = (await get_campaign_leads(desk.request(path={"campaign_id": "c1"}), desk.deps)).reply.body
    assert counts == {"campaign_id": "c1", "leads": 1, "by_status": {"NEW": 1}, "never_offered": 1}
    deleted = await delete_lead(desk.request(path={"lead_id": lead_id}), desk.deps)
    assert deleted.reply.body["status"] == "CANCELLED"
    assert (await delete_lead(desk.request(path={"lead_id": "none"}), desk.deps)).reply.status == 404
