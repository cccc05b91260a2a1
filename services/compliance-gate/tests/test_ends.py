"""Recording by the stricter end, and the number that may be shown: decided from rows, carried, enforced, explained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compliance_gate.adapters.pack_rows import RulePackError
from compliance_gate.adapters.rule_pack import LAW, load_rule_pack, pin_time_zones, shipped
from compliance_gate.domain.ends import Shown, agents_at, caller_id_failures, recording_of, shown_of
from compliance_gate.domain.offers import Known, facts_of
from compliance_gate.domain.places import locate
from compliance_gate.domain.rules import CallerIdRule, RulePack
from compliance_gate.handlers.http import get_evidence
from compliance_gate.handlers.preflight import post_preflight
from outdial_contracts.events import (
    Address,
    BlockReason,
    CallMode,
    ComplianceCleared,
    Purpose,
    RecordingRule,
)

FRENCH = "+33162123456"
HEAD = "version: 1\ncountries: [US]\n"
ORIGIN = "    basis: LAW\n    confidence: high\n    citation: somewhere\n"


@pytest.fixture(scope="module")
def law() -> RulePack:
    return load_rule_pack(shipped(*LAW), tzdata=pin_time_zones())


def recording(a: Any, law: RulePack, phone: str, agents: str | None, **changes: Any) -> tuple[RecordingRule, str]:
    """The duty and its rows for a callee's number and the agents' place."""
    document = replace(a.document(), agent_region=agents)
    offer = a.offer(phone=phone, address=Address())
    place = locate(phone, offer.address, law)
    facts = facts_of(offer, Known(), document, CallMode.LIVE_AUTODIALED)
    found = recording_of([facts], place, agents_at(replace(document, **changes), law), a.now, law)
    return found.asks, " ".join(found.rule_ids)


@pytest.mark.parametrize(
    "phone, agents, asks, rule_ids",
    [
        ("+12125550123", "US-NY", "NONE", "US-RECORDING"),
        ("+12125550123", "US-CA", "ANNOUNCE", "US-CA-RECORDING"),
        ("+14155550123", "US-NY", "ANNOUNCE", "US-CA-RECORDING"),
        ("+13055550123", "US-CA", "ASK", "US-FL-RECORDING"),
        ("+12125550123", "DE", "ASK", "DE-RECORDING"),
        ("+4930901820", "GB", "ASK", "DE-RECORDING"),
        ("+442071838750", "IN", "ANNOUNCE", "GB-RECORDING IN-RECORDING"),
        ("+12125550123", "PH", "ASK", "GATE-RECORDING"),
        ("+12125550123", None, "NONE", "US-RECORDING"),
    ],
)
def test_recording_follows_the_stricter_end(
    a: Any, law: RulePack, phone: str, agents: str | None, asks: str, rule_ids: str
) -> None:
    assert recording(a, law, phone, agents) == (RecordingRule(asks), rule_ids)


def test_agents_of_whom_nothing_is_known_are_taken_as_the_strictest(a: Any, law: RulePack) -> None:
    free_of_charge = recording(a, law, "+12125550123", None, seller_callback="+18005550100")
    assert free_of_charge == (RecordingRule.ASK, "GATE-RECORDING")
    german = recording(a, law, "+12125550123", None, seller_callback="+4930901820")
    assert german == (RecordingRule.ASK, "DE-RECORDING")


def test_every_country_and_region_with_rules_knows_its_recording_duty(law: RulePack) -> None:
    assert {row.scope.jurisdiction for row in law.recordings} >= law.countries
    assert all(row.origin.citation and row.asks is not RecordingRule.UNKNOWN for row in law.recordings)


async def test_duty_is_in_the_clearance_its_token_the_ledger_and_the_evidence(
    world: Any, a: Any, law: RulePack
) -> None:
    world.deps = replace(world.deps, pack=replace(law, lists=()))
    cleared = await world.clear(a.offer(phone="+14155550123", address=Address(country="US", region="CA")))
    assert isinstance(cleared, ComplianceCleared)
    assert cleared.recording_rule is RecordingRule.ANNOUNCE
    assert world.deps.signer.verify(cleared.token)["recording"] == "ANNOUNCE"
    [decision] = [r for r in await world.deps.store.records() if r.kind.value == "DECISION"]
    assert json.loads(decision.body)["recording_rule_ids"] == ["US-CA-RECORDING"]
    shown = (await get_evidence(world.request(b"", attempt_id=cleared.attempt_id), world.deps)).reply.body
    [row] = shown["decision"]["recording_rules"]
    assert row["rule_id"] == "US-CA-RECORDING"
    assert "632" in row["citation"]


def shown(a: Any, pack: RulePack, phone: str, purpose: Purpose = Purpose.MARKETING, **address: str) -> Shown:
    offer = a.offer(phone=phone, purpose=purpose, address=Address(**address))
    place = locate(phone, offer.address, pack)
    return shown_of([facts_of(offer, Known(), a.document(), CallMode.LIVE_AUTODIALED)], place, a.now, pack)


def test_prospecting_in_france_shows_a_number_made_for_it(a: Any, law: RulePack) -> None:
    french = shown(a, law, "+33142685300")
    assert french.rule_ids == ("FR-CALLER-ID",)
    assert french.admits(FRENCH)
    assert not french.admits("+33612345678")
    assert shown(a, law, "+33142685300", Purpose.INFORMATIONAL).admits("+33612345678")
    assert shown(a, law, "+911123456789").admits("+911401234567")
    assert not shown(a, law, "+911123456789").admits("+911601234567")


def test_two_places_are_both_heeded_and_a_contradiction_admits_nothing(a: Any, law: RulePack) -> None:
    both = shown(a, law, "+33142685300", country="ES")
    assert both.prefixes == ()
    assert not both.admits(FRENCH)
    wide = replace(law, caller_ids=(*law.caller_ids, CallerIdRule(
        rule_id="X", scope=replace(law.caller_ids[0].scope, jurisdiction="FR"), origin=law.caller_ids[0].origin,
        prefixes=("+331",),
    )))  # fmt: skip
    assert shown(a, wide, "+33142685300").prefixes == ("+33162", "+33163")


def test_emergency_is_bound_by_no_number(a: Any, law: RulePack) -> None:
    free = shown(a, law, "+33142685300", Purpose.EMERGENCY)
    assert list(caller_id_failures([""], free, Purpose.EMERGENCY, law)) == []


def with_rule(world: Any, a: Any, *prefixes: str) -> None:
    """Callees in the United States may be shown such numbers only."""
    row = world.deps.pack.caller_ids[0]
    row = replace(row, rule_id="US-CALLER-TEST", prefixes=prefixes)
    world.deps = replace(world.deps, pack=replace(world.deps.pack, caller_ids=(row,)))


async def test_campaign_without_a_number_that_may_be_shown_is_blocked(world: Any, a: Any) -> None:
    with_rule(world, a, "+1312")
    world.publish(caller_ids=("+12125550101",))
    blocked = await world.clear(a.offer())
    assert (blocked.reasons, blocked.rule_ids) == ((BlockReason.CALLER_ID,), ("US-CALLER-TEST",))
    assert blocked.next_allowed_at is None
    world.publish(caller_ids=("+12125550101", "+13125550102"))
    cleared = await world.clear(a.offer())
    assert (cleared.caller_id_rule, cleared.caller_id_prefixes) == ("US-CALLER-TEST", ("+1312",))


@pytest.mark.parametrize("caller_id, rule_id", [
    ("+12125550101", "US-CALLER-TEST"), ("", "GATE-CALLER-ID"), ("anonymous", "GATE-CALLER-ID"),
    ("+1312", "GATE-CALLER-ID"),
])  # fmt: skip
async def test_last_look_refuses_a_number_that_may_not_be_shown(
    world: Any, a: Any, caller_id: str, rule_id: str
) -> None:
    with_rule(world, a, "+1312")
    cleared = await world.clear(a.offer())
    refused = (await world.redeem(world.asking(cleared, caller_id=caller_id))).refused
    assert (list(refused.reasons), list(refused.rule_ids)) == (["CALLER_ID"], [rule_id])
    other = await world.clear(a.offer())
    assert (await world.redeem(world.asking(other, caller_id="+13125550102"))).HasField("granted")


async def test_preflight_says_that_no_number_of_the_campaign_may_be_shown(fake: Any, a: Any) -> None:
    fake.publish()
    with_rule(fake, a, "+1312")
    lead = {"lead_id": "L1", "person_id": "p", "phone": "+12125550123", "line_type": "LANDLINE"}
    campaign = a.campaign(mode="preview", caller_ids=["+12125550101"])
    body = json.dumps({"campaign": campaign, "leads": [lead]}).encode()
    reply = (await post_preflight(fake.request(body), fake.deps)).reply
    assert reply.body["results"][0]["reasons"] == ["CALLER_ID"]


@pytest.mark.parametrize(
    "rows, error",
    [
        ("recordings:\n  - rule_id: XX-REC\n    jurisdiction: US\n" + ORIGIN, "XX-REC: asks is missing"),
        (
            "recordings:\n  - rule_id: XX-REC\n    jurisdiction: US\n    asks: SHOUT\n" + ORIGIN,
            "XX-REC: asks: want one of NONE, ANNOUNCE, ASK",
        ),
        (
            "recordings:\n  - rule_id: XX-REC\n    jurisdiction: US\n    asks: ASK\n    level: PEC\n" + ORIGIN,
            "XX-REC: level: no such field here",
        ),
        (
            "caller_ids:\n  - rule_id: XX-CALLER\n    jurisdiction: FR\n    prefixes: [33162]\n" + ORIGIN,
            "XX-CALLER: prefixes: want",
        ),
        (
            "caller_ids:\n  - rule_id: XX-CALLER\n    jurisdiction: FR\n    prefixes: []\n" + ORIGIN,
            "XX-CALLER: prefixes: want a list that is not empty",
        ),
        (
            "caller_ids:\n  - rule_id: XX-CALLER\n    jurisdiction: FR\n    basis: LAW\n",
            "XX-CALLER: citation is missing",
        ),
    ],
)
def test_row_that_can_not_be_taken_is_named_with_its_field(tmp_path: Path, rows: str, error: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(HEAD + rows)
    with pytest.raises(RulePackError, match=error):
        load_rule_pack([file], tzdata="1")
