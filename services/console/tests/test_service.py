"""The whole service on the memory broker: requests and topics reach the same desk, replies leave after the events."""

from __future__ import annotations

from typing import Any

import pytest

from console.app import REQUESTS, SUBSCRIPTIONS, build_service
from console.config import Config, ConfigError
from outdial_contracts.events import AgentState, CallProgress, CampaignPublished, Context, ProgressStage, Segment
from outdial_contracts.topics import TOPICS
from outdial_runtime.outcome import Publish
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

ENV = {
    "OUTDIAL_GATE_ADDRESS": "127.0.0.1:1",
    "OUTDIAL_AGENT_SECRET": "s" * 16,
    "OUTDIAL_AGENT_SIP_ADDRESS": "127.0.0.1:5070",
}


def test_it_subscribes_to_what_the_contract_says() -> None:
    assert {kind.TOPIC for kind in SUBSCRIPTIONS} == {t.name for t in TOPICS.values() if "console" in t.consumers}
    assert len({(r.method, r.path) for r in REQUESTS}) == len(REQUESTS)


@pytest.mark.parametrize("name", sorted(ENV))
def test_an_absent_variable_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_env({key: value for key, value in ENV.items() if key != name})


@pytest.mark.parametrize(
    "name, value",
    [("OUTDIAL_GATE_ADDRESS", "gate"), ("OUTDIAL_AGENT_SIP_ADDRESS", "h:p"), ("OUTDIAL_AGENT_SECRET", "s")],
)
def test_a_variable_of_the_wrong_shape_is_named_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_env(ENV | {name: value})
    assert str(error.value).startswith(f"{name}:")


async def test_an_assignment_on_kafka_takes_the_agent_who_signed_in_over_http(office: Any) -> None:
    broker = MemoryBroker(VirtualClock())
    async with run_in_memory(build_service(Config.from_env(ENV)), broker) as running:
        reply = await running.http("POST", "/v1/agents/a1/sign-in", {"team_id": "blue", "campaign_ids": ["c1"]})
        headers = {"Authorization": f"Bearer {reply.body['session_token']}"}
        await running.http("POST", "/v1/agents/a1/state", {"state": "available"}, headers=headers)
        broker.publish(assigned(office.call))
        polled = await running.http("GET", "/v1/agents/a1/events", query={"wait_seconds": "10"}, headers=headers)
        assert [e["type"] for e in polled.body["events"]] == ["assigned"]
        await running.settle()
    states = [(s.availability, s.last_assignment_seen) for s in broker.events(AgentState)]
    assert states == [("PAUSED", None), ("AVAILABLE", None), ("WRAPUP", "lease-1")]


async def test_a_restart_reads_its_campaigns_before_it_serves(office: Any, campaign: Any) -> None:
    broker = MemoryBroker(VirtualClock())
    for status in (201, 200):
        async with run_in_memory(build_service(Config.from_env(ENV)), broker) as running:
            reply = await running.http("POST", "/v1/campaigns", campaign)
            assert (reply.status, reply.body["version"]) == (status, 1)
    assert len(broker.events(CampaignPublished)) == 1


async def test_two_wrap_ups_with_one_idempotency_key_are_one_event(office: Any) -> None:
    await office.sign_in()
    body = {"attempt_id": office.call, "code": "INTERESTED"}
    causes = []
    for key in ("k1", "k1", "k2"):
        request_cause = f"POST wrap-up:{key}"
        await office.agent("wrap-up", body, cause=request_cause)
        outcome = office.outcomes[-1]
        assert isinstance(outcome, Publish)
        causes.append(outcome.events[0].cause)  # type: ignore[union-attr]
    assert causes[0] == causes[1] != causes[2]


def assigned(attempt_id: str) -> CallProgress:
    return CallProgress(
        attempt_id=attempt_id,
        team_id="blue",
        campaign_id="c1",
        campaign_version=1,
        context=Context(lead_id="lead-1", attempt_no=1, segment=Segment.COLD, score_band="0.4-0.6"),
        stage=ProgressStage.ASSIGNED,
        leg_no=1,
        gateway_id="gw-0",
        agent_id="a1",
        agent_lease_id="lease-1",
        at=VirtualClock().now(),
    )
