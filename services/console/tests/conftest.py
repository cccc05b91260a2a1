"""A console with a fake gate and a fake gateway, asked as HTTP would; time is in the test's hands."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.adapters.files import ReportFolder, read_assets
from console.app import REQUESTS, SUBSCRIPTIONS
from console.config import Config
from console.domain.board import Board
from console.domain.campaign_file import parse_campaign
from console.domain.sources import Source
from console.handlers.deps import Deps
from console.handlers.hub import Hub
from console.ports import AttemptUnknown, GateAway, GatewayAway, SourceAway
from outdial_contracts import events as ev
from outdial_contracts.base import Event
from outdial_runtime.outcome import Outcome, Publish
from outdial_runtime.service import Answer, HttpReply, Received, Request
from outdial_testing import VirtualClock

CAMPAIGN = Path(__file__).parents[3] / "examples" / "campaign.yaml"
NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
CONFIG = Config(gate_address="127.0.0.1:1", agent_secret=b"s" * 16, agent_sip_address="127.0.0.1:5070")
CALL = "5f0b6e1e-0000-5000-8000-000000000001"
NEXT_CALL = "5f0b6e1e-0000-5000-8000-000000000002"


class FakeGate:
    def __init__(self) -> None:
        self.away, self.unknown = False, False
        self.suppressed: list[tuple[str, str]] = []

    async def suppress(self, suppression_id: str, attempt_id: str, requested_at: datetime) -> None:
        if self.away:
            raise GateAway("UNAVAILABLE")
        if self.unknown:
            raise AttemptUnknown("the attempt is not known")
        self.suppressed.append((suppression_id, attempt_id))


class FakeGateway:
    def __init__(self) -> None:
        self.away = False
        self.calls: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []

    async def hang_up(self, address: str, attempt_id: str, agent_id: str) -> bool:
        if self.away:
            raise GatewayAway("UNAVAILABLE")
        self.asked.append((address, attempt_id, agent_id))
        return attempt_id in self.calls


class FakeSources:
    """Answers by source and path; what is not there is unknown to the service."""

    def __init__(self) -> None:
        self.answers: dict[tuple[Source, str], Any] = {}
        self.away: set[Source] = set()
        self.asked: list[str] = []

    def configured(self, source: Source) -> bool:
        return True

    async def get(self, source: Source, path: str, query: Mapping[str, str] | None = None) -> Any:
        self.asked.append(path)
        if source in self.away:
            raise SourceAway(f"{source.value} does not answer.")
        return self.answers.get((source, path))


class Office:
    """What a test does at the console: ask over HTTP, feed events, and look at what was published."""

    call, next_call, now_at_start, config, routes = CALL, NEXT_CALL, NOW, CONFIG, REQUESTS

    def __init__(self) -> None:
        self.gate, self.gateway, self.sources, self.now = FakeGate(), FakeGateway(), FakeSources(), NOW
        self.reports_dir: Path | None = None
        self.published: list[Any] = []
        self.causes: list[str] = []
        """Of what was published, in the same order."""
        self.outcomes: list[Outcome] = []
        self.token = ""
        self.restart()

    def restart(self) -> None:
        """A new process: nothing remembered."""
        self.deps = Deps(
            config=CONFIG,
            gate=self.gate,
            calls=self.gateway,
            sources=self.sources,
            hub=Hub(Board(), self.sources, VirtualClock()),
            assets=read_assets(),
            reports=ReportFolder(self.reports_dir),
        )

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def ask(self, method: str, path: str, body: Any = b"", **more: Any) -> HttpReply:
        """The reply to a request; `query` and `cause` may be given, the token is the last sign-in's."""
        for route in REQUESTS:
            names = _match(route.path, path)
            if route.method == method and names is not None:
                request = self.request(method, body, path=names, **more)
                answer: Answer = await route.handler(request, self.deps)
                self._publish(answer.outcome)
                assert isinstance(answer.reply, HttpReply)
                return answer.reply
        raise LookupError(path)

    def request(self, method: str, body: Any = b"", *, path: dict[str, str], **more: Any) -> Request:
        return Request(
            message=body if isinstance(body, bytes) else json.dumps(body).encode(),
            now=self.now,
            cause=more.get("cause", uuid.uuid4().hex),
            path=path,
            query=more.get("query", {}),
            headers={"authorization": f"Bearer {self.token}", **more.get("headers", {})},
        )

    async def agent(self, action: str, body: Any = b"", **more: Any) -> HttpReply:
        """A POST of agent a1."""
        return await self.ask("POST", f"/v1/agents/a1/{action}", body, **more)

    async def sign_in(self) -> None:
        reply = await self.agent("sign-in", {"team_id": "blue", "campaign_ids": ["c1"]})
        assert reply.status == 200, reply.body
        self.token = reply.body["session_token"]

    async def say(self, state: str) -> Any:
        """A heartbeat; returns the agent.state that it made."""
        reply = await self.agent("state", {"state": state, "reason": None})
        assert reply.status == 204
        return self.published[-1]

    async def screen(self, after: int = 0, wait_seconds: float = 0.0) -> list[Any]:
        query = {"after": str(after), "wait_seconds": str(wait_seconds)}
        reply = await self.ask("GET", "/v1/agents/a1/events", query=query)
        assert reply.status == 200, reply.body
        events: list[Any] = reply.body["events"]
        return events

    async def shown(self) -> list[str]:
        return [event["type"] for event in await self.screen()]

    async def take(self, event: Event) -> Outcome:
        message = Received(
            event=event,
            cause=uuid.uuid4().hex,
            time=self.now,
            now=self.now,
            topic=event.TOPIC,
            partition=0,
            offset=0,
            raw=b"",
        )
        outcome = await SUBSCRIPTIONS[type(event)].handler(message, self.deps)
        self._publish(outcome)
        return outcome

    async def leg(self, up: bool = True, leg_id: str = "leg-1", address: str = "127.0.0.1:7000") -> None:
        await self.take(
            ev.AgentLeg(
                agent_id="a1",
                team_id="blue",
                leg_id=leg_id,
                gateway_id="gw-0",
                gateway_address=address,
                boot_id="b1",
                up=up,
                at=self.now,
            )
        )

    async def progress(self, stage: str, attempt_id: str = CALL, agent_id: str | None = "a1") -> Outcome:
        return await self.take(
            ev.CallProgress(
                **_head(attempt_id),
                stage=ev.ProgressStage(stage),
                leg_no=1,
                gateway_id="gw-0",
                agent_id=agent_id,
                agent_lease_id=f"lease-{attempt_id}" if agent_id else None,
                at=self.now,
            )
        )

    async def ended(self, attempt_id: str = CALL, bridged: bool = True) -> Outcome:
        event = ev.CallEnded(
            **_head(attempt_id),
            leg_no=1,
            gateway_id="gw-0",
            boot_id="b1",
            lease_id="channel",
            dialled=True,
            end_class=ev.EndClass.CONNECTED if bridged else ev.EndClass.CALLEE_HUNG_UP,
            fault=ev.Fault.CALLEE,
            hung_up_by=ev.Fault.CALLEE,
            agent_id="a1",
            agent_lease_id=f"lease-{attempt_id}",
            safe_harbour_played=False,
            ended_at=self.now,
            packets_received=0,
            packets_lost=0,
            jitter_ms=0.0,
        )
        return await self.take(replace(event, bridged_at=self.now if bridged else None))

    def _publish(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if isinstance(outcome, Publish):
            self.published += [emit.event for emit in outcome.events]  # type: ignore[union-attr]
            self.causes += [emit.cause for emit in outcome.events]  # type: ignore[union-attr]


def _head(attempt_id: str) -> dict[str, Any]:
    context = ev.Context(lead_id="lead-1", attempt_no=1, segment=ev.Segment.COLD, score_band="0.4-0.6")
    return {
        "attempt_id": attempt_id,
        "team_id": "blue",
        "campaign_id": "c1",
        "campaign_version": 1,
        "context": context,
    }


def _match(template: str, path: str) -> dict[str, str] | None:
    pairs: Sequence[tuple[str, str]] = list(zip(template.split("/"), path.split("/"), strict=False))
    if template.count("/") != path.count("/") or any(t != p and not t.startswith("{") for t, p in pairs):
        return None
    return {t.strip("{}"): p for t, p in pairs if t.startswith("{")}


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def campaign() -> dict[str, Any]:
    """The documented example, parsed."""
    document: dict[str, Any] = yaml.safe_load(CAMPAIGN.read_text(encoding="utf-8"))
    return document


@pytest.fixture
def published(campaign: dict[str, Any]) -> ev.CampaignPublished:
    """The documented example as an event."""
    campaign_id, team_id, document = parse_campaign(campaign)
    return ev.CampaignPublished(
        campaign_id=campaign_id,
        slot="1",
        version=1,
        team_id=team_id,
        state=ev.CampaignState.UNKNOWN,
        document=document,
        published_at=NOW,
        published_by="test",
    )


@pytest.fixture
def route() -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "ROUTE",
        "route_id": "demo-carrier",
        "trunks": [{"trunk_id": "t1", "host": "127.0.0.1", "port": 5080, "transport": "udp", "weight": 2}],
        "countries": ["US", "CA"],
        "number_classes": ["MOBILE"],
        "max_duration_seconds": 600,
    }
