"""Campaigns, routes and stops: what is wrong is named by field; the same document again is the same version."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml

from console.domain.campaign_file import parse_campaign
from console.domain.route_file import parse_route
from outdial_contracts.codec import encode
from outdial_contracts.events import CampaignPublished, DialMode, Purpose, Transport

Change = Callable[[Any], Any]


def put(path: str, value: Any) -> Change:
    """Sets a value by dotted path."""

    def change(document: Any) -> Any:
        *parts, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        place = document
        for part in parts:
            place = place[part]
        place[last] = value
        return document

    return change


def drop(name: str) -> Change:
    return lambda document: {key: value for key, value in document.items() if key != name}


BAD_CAMPAIGNS: list[tuple[Change, str]] = [
    (lambda d: [d], "the document"),
    (drop("seller"), "seller"),
    (put("sellr", {}), "sellr"),
    (put("7", 1), "7"),
    (put("schema", 2), "schema"),
    (put("schema", True), "schema"),
    (put("id", "Spring Renewal"), "id"),
    (put("id", 7), "id"),
    (put("team", " "), "team"),
    (put("seller", "S1"), "seller"),
    (put("seller.fax", "x"), "seller.fax"),
    (put("seller.callback", 12125550100), "seller.callback"),
    (put("purpose", "spam"), "purpose"),
    (put("purpose", "emergency"), "approvers"),
    (lambda d: {**d, "purpose": "emergency", "approvers": ["A. Example"]}, "approvers"),
    (lambda d: {**d, "purpose": "emergency", "approvers": ["A. Example", " a.  example"]}, "approvers"),
    (put("approvers", "A. Example"), "approvers"),
    (put("agent_region", "New York"), "agent_region"),
    (put("agent_region", 7), "agent_region"),
    (put("approvers", ["A. Example", ""]), "approvers[1]"),
    (put("purpose", "MARKETING"), "purpose"),
    (put("mode", None), "mode"),
    (put("pacing.abandon_limit", "3%"), "pacing.abandon_limit"),
    (put("pacing.abandon_limit", 3), "pacing.abandon_limit"),
    (put("pacing.max_lines_per_agent", float("nan")), "pacing.max_lines_per_agent"),
    (put("pacing.small_team_below", 2.5), "pacing.small_team_below"),
    (put("ring_timeout_seconds", 14), "ring_timeout_seconds"),
    (put("ring_timeout_seconds", True), "ring_timeout_seconds"),
    (put("clearance_ttl_seconds", 3600), "clearance_ttl_seconds"),
    (put("retry.after.bussy", 60), "retry.after.bussy"),
    (put("retry.after.busy", "1h"), "retry.after.busy"),
    (put("retry.max_per_person", 0), "retry.max_per_person"),
    (put("caller_ids", []), "caller_ids"),
    (put("caller_ids.1", "2125550101"), "caller_ids[1]"),
    (put("webhook", "http://127.0.0.1/"), "webhook"),
    (put("webhook", {"secret_env": "X"}), "webhook.url"),
    (put("safe_harbour", None), "safe_harbour"),
    (put("safe_harbour", "prompts/safe_harbour.wav"), "safe_harbour"),
    (put("safe_harbour", {"prompt": "prompts/safe_harbour.wav"}), "safe_harbour.text"),
    (put("safe_harbour.prompt", ""), "safe_harbour.prompt"),
    (put("safe_harbour.text", "Hello?"), "safe_harbour.text"),
]
BAD_ROUTES: list[tuple[Change, str]] = [
    (put("kind", "TRUNK"), "kind"),
    (put("trunks", {}), "trunks"),
    (put("trunks.0", "t1"), "trunks[0]"),
    (put("trunks.0.password", "secret"), "trunks[0].password"),
    (put("trunks.0.port", 0), "trunks[0].port"),
    (put("trunks.0.port", 65536), "trunks[0].port"),
    (put("trunks.0.port", "5060"), "trunks[0].port"),
    (put("trunks.0.transport", "tcp"), "trunks[0].transport"),
    (put("trunks.0.weight", 0), "trunks[0].weight"),
    (put("trunks.0.channels", 1.5), "trunks[0].channels"),
    (put("trunks.0.calls_per_second", float("inf")), "trunks[0].calls_per_second"),
    (put("trunks.0.calls_per_second", 0), "trunks[0].calls_per_second"),
    (put("trunks.0.username", 5), "trunks[0].username"),
    (put("countries", "US"), "countries"),
    (put("countries.1", 1), "countries[1]"),
    (put("number_classes", []), "number_classes"),
    (put("max_duration_seconds", -1), "max_duration_seconds"),
    (drop("countries"), "countries"),
    (lambda d: d | {"trunks": d["trunks"] * 2}, "trunks"),
]


def test_the_documented_campaign_is_read(campaign: Any) -> None:
    campaign_id, team_id, document = parse_campaign(campaign)
    assert (campaign_id, team_id) == (campaign["id"], campaign["team"])
    assert (document.purpose, document.mode) == (Purpose(campaign["purpose"].upper()), DialMode.PREDICTIVE)
    assert document.caller_ids == tuple(campaign["caller_ids"])
    assert document.retry_after_seconds == campaign["retry"]["after"]


def test_the_route_is_read_with_its_defaults(route: Any) -> None:
    [trunk] = parse_route(route).trunks
    assert (trunk.transport, trunk.weight, trunk.calls_per_second, trunk.channels) == (Transport.UDP, 2, 5.0, 30)


@pytest.mark.parametrize("change, field", BAD_CAMPAIGNS)
async def test_a_bad_campaign_names_its_field(office: Any, campaign: Any, change: Change, field: str) -> None:
    reply = await office.ask("POST", "/v1/campaigns", yaml.safe_dump(change(deepcopy(campaign))).encode())
    assert (reply.status, reply.content_type) == (422, "application/problem+json")
    assert reply.body["detail"].partition(": ")[0] == field
    assert not office.published


@pytest.mark.parametrize("change, rule_id", [
    (put("seller.name", "Other Ltd"), "SAFE-HARBOUR-IDENTITY"),
    (put("seller.callback", "+12125550199"), "SAFE-HARBOUR-NUMBER"),
    (put("safe_harbour.text", "Example Ltd, 212 555 0100. To opt out press 9."), "SAFE-HARBOUR-PURPOSE"),
    (put("safe_harbour.text", "Example Ltd, telemarketing, 212 555 0100."), "SAFE-HARBOUR-OPT-OUT"),
    (lambda d: {**put("safe_harbour.text", "Example Ltd, 212 555 0100: your debt.")(d), "purpose": "collections"},
     "SAFE-HARBOUR-NO-DEBT"),
])  # fmt: skip
async def test_campaign_without_a_lawful_message_is_not_published(
    office: Any, campaign: Any, change: Change, rule_id: str
) -> None:
    reply = await office.ask("POST", "/v1/campaigns", yaml.safe_dump(change(deepcopy(campaign))).encode())
    assert (reply.status, reply.content_type) == (422, "application/problem+json")
    assert rule_id in reply.body["detail"]
    assert not office.published


@pytest.mark.parametrize("change, field", BAD_ROUTES)
async def test_a_bad_route_names_its_field(office: Any, route: Any, change: Change, field: str) -> None:
    reply = await office.ask("POST", "/v1/documents", yaml.safe_dump(change(deepcopy(route))).encode())
    assert reply.status == 422
    assert reply.body["detail"].partition(": ")[0] == field
    assert not office.published


@pytest.mark.parametrize("body", [b"\x00", b"a: [", b"\xff\xfe\x00", b"[" * 100_000, b"!!python/object:os.system {}"])
async def test_a_body_that_is_no_yaml_is_refused(office: Any, body: bytes) -> None:
    for path in ("/v1/campaigns", "/v1/documents"):
        assert (await office.ask("POST", path, body)).status == 422


async def post(office: Any, document: Any) -> tuple[int, int]:
    """(status, version)."""
    reply = await office.ask("POST", "/v1/campaigns", json.dumps(document).encode())
    return reply.status, reply.body["version"]


async def test_the_same_document_again_is_the_same_version(office: Any, campaign: Any) -> None:
    assert await post(office, campaign) == (201, 1)
    await office.take(office.published[-1])
    assert await post(office, dict(reversed(campaign.items()))) == (200, 1)
    assert await post(office, campaign | {"kpi": "conversion"}) == (201, 2)
    versions = [(e.slot, e.version, e.document.kpi) for e in office.published]
    assert versions == [("1", 1, campaign["kpi"]), ("2", 2, "conversion")]


async def test_a_version_that_was_not_read_back_is_sent_again_unchanged(office: Any, campaign: Any) -> None:
    await post(office, campaign)
    office.wait(5.0)
    assert await post(office, campaign) == (201, 1)
    assert office.published[0] == office.published[1]


async def test_a_restarted_console_counts_on(office: Any, campaign: Any) -> None:
    await post(office, campaign)
    kept = office.published[-1]
    office.restart()
    await office.take(kept)
    assert await post(office, campaign) == (200, 1)
    assert await post(office, campaign | {"team": "red"}) == (201, 2)


async def test_an_older_version_read_late_changes_nothing(office: Any, campaign: Any) -> None:
    await post(office, campaign)
    await post(office, campaign | {"kpi": "conversion"})
    for event in reversed(list(office.published)):
        await office.take(event)
    assert await post(office, campaign | {"kpi": "conversion"}) == (200, 2)


async def test_state_names_the_version_that_runs(office: Any, campaign: Any) -> None:
    path = f"/v1/campaigns/{campaign['id']}/state"
    assert (await office.ask("POST", path, {"state": "RUNNING"})).status == 404
    await post(office, campaign)
    assert (await office.ask("POST", path, {"state": "flying"})).status == 422
    assert (await office.ask("POST", path, {"state": "RUNNING"})).status == 200
    event = office.published[-1]
    assert isinstance(event, CampaignPublished)
    assert (event.slot, event.version, event.state, event.document) == ("state", 1, "RUNNING", None)


async def test_two_routes_within_a_second_have_two_versions(office: Any, route: Any) -> None:
    for _ in range(2):
        assert (await office.ask("POST", "/v1/documents", route)).status == 201
    first, second = (event.version for event in office.published)
    assert second == first + 1


@pytest.mark.parametrize("scope", ["all", "seller:S1", "state:US-NY", "route:demo-carrier"])
async def test_the_stop_button(office: Any, scope: str) -> None:
    assert (await office.ask("POST", "/v1/stops", {"scope": scope, "stopped": True, "reason": "x"})).status == 200
    assert [(e.scope, e.stopped) for e in office.published] == [(scope, True)]


@pytest.mark.parametrize(
    "change, field",
    [
        ({"scope": "seller:"}, "scope"),
        ({"scope": "moon:1"}, "scope"),
        ({"stopped": "yes"}, "stopped"),
        ({"reason": ""}, "reason"),
    ],
)
async def test_a_bad_stop_names_its_field(office: Any, change: Any, field: str) -> None:
    reply = await office.ask("POST", "/v1/stops", {"scope": "all", "stopped": True, "reason": "x"} | change)
    assert (reply.status, reply.body["detail"].partition(": ")[0]) == (422, field)


async def test_all_that_is_published_fits_the_contract(office: Any, campaign: Any, route: Any) -> None:
    await post(office, campaign)
    await office.ask("POST", f"/v1/campaigns/{campaign['id']}/state", {"state": "PAUSED"})
    await office.ask("POST", "/v1/documents", route)
    await office.ask("POST", "/v1/stops", {"scope": "all", "stopped": False, "reason": "x"})
    await office.sign_in()
    await office.agent("wrap-up", {"attempt_id": office.call, "code": "DNC_REQUESTED"})
    assert len({event.TOPIC for event in office.published if encode(event)}) == 5
