"""Stands in for CRM and pacer on a running stack: submits leads, asks for offers, dials what was cleared.

The campaign's team has no agents, so the real pacer asks for nothing and dials nothing of it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from campaign_run import EXAMPLES, wait_for
from confluent_kafka import Producer
from stranger import calls, lines

from outdial_cli.demo.services import Services
from outdial_cli.records import Record, TopicReader
from outdial_cli.stack.stack import Stack
from outdial_contracts.base import Event
from outdial_contracts.codec import encode
from outdial_contracts.events import (
    Address,
    CallDial,
    CallMode,
    ComplianceCleared,
    DialMode,
    LeadAction,
    LeadSubmitted,
    LineType,
    PacingDemand,
    Phone,
    Segment,
)
from outdial_contracts.headers import EventHeaders
from outdial_contracts.identity import lead_id
from outdial_contracts.topics import TOPICS

SOURCE = "stand-in-crm"
FIRST_EPOCH = 1 << 40
"""Above any epoch of the real pacer, whose demand for this campaign is dropped as older."""
CLEARANCE_SECONDS = 12
"""Short, for the tests that wait until one lapses."""
Kind = TypeVar("Kind", bound=Event)


class StandIn:
    """One campaign with a team and a route of its own; numbers are of 555-01XX in an area code of its own."""

    def __init__(self, stack: Stack, name: str, area: str) -> None:
        self.stack, self.campaign_id, self.team_id, self.route_id = stack, name, f"{name}-team", f"{name}-route"
        self.services = Services(stack.addresses)
        self.reader = TopicReader(stack.bootstrap, stack.topic_prefix)
        self.area, self.version = area, 0
        self._epoch, self._wanted, self._numbers = FIRST_EPOCH, 0, 0
        self._producer = Producer({"bootstrap.servers": stack.bootstrap, "partitioner": "murmur2_random"})

    def document(self, **changes: Any) -> dict[str, Any]:
        """The example campaign under our ids."""
        own = {
            "id": self.campaign_id,
            "team": self.team_id,
            "route": self.route_id,
            "clearance_ttl_seconds": CLEARANCE_SECONDS,
        }
        return {**yaml.safe_load((EXAMPLES / "campaign.yaml").read_text()), **own, **changes}

    def route(self, route_id: str, *trunks: tuple[str, int]) -> dict[str, Any]:
        """The example route with trunks of host and port."""
        route: dict[str, Any] = yaml.safe_load((EXAMPLES / "route.yaml").read_text())
        trunk = route["trunks"][0]
        route["trunks"] = [
            {**trunk, "trunk_id": f"{route_id}-{n}", "host": host, "port": port}
            for n, (host, port) in enumerate(trunks)
        ]
        return {**route, "route_id": route_id}

    def open(self) -> None:
        """Publishes route and campaign, lets it run, waits until lead-router knows it."""
        self.services.publish_route(self.route(self.route_id, ("127.0.0.1", self.stack.addresses.carrier_sip_port)))
        self.version = self.services.publish_campaign(self.document())
        self.services.set_state(self.campaign_id, "RUNNING")
        url = f"{self.stack.addresses.url('lead-router')}/v1/campaigns/{self.campaign_id}/leads"
        wait_for(lambda: httpx.get(url, timeout=5).status_code == 200, "the campaign at lead-router")

    def close(self) -> None:
        """Stops the campaign."""
        self.services.set_state(self.campaign_id, "STOPPED")
        self.services.close()

    def now(self) -> datetime:
        """The stack's shifted clock, within a second."""
        start = datetime.fromisoformat(str(self.stack.state().clock_start))
        return start + timedelta(seconds=time.time() - self.stack.started_at)

    def new_number(self) -> str:
        """A fictional number that no lead has yet."""
        self._numbers += 1
        return f"+1{self.area}55501{self._numbers:02d}"

    def lead(self, external_id: str, **changes: Any) -> LeadSubmitted:
        """A good lead of a business landline in New York, which needs no consent; the newest has the best score."""
        lead = LeadSubmitted(
            lead_id=lead_id(SOURCE, external_id),
            action=LeadAction.SUBMIT,
            source=SOURCE,
            external_id=external_id,
            person_id=f"{self.campaign_id}-{external_id}",
            campaign_id=self.campaign_id,
            phones=(Phone(number=self.new_number(), default_region="US", line_type=LineType.LANDLINE),),
            consumer=False,
            address=Address(country="US", region="NY"),
            segment=Segment.WARM,
            score=self._numbers / 100,
            submitted_at=self.now(),
        )
        return replace(lead, **changes)

    def send(self, event: Event, **headers: str) -> tuple[int, int]:
        """Produces an event as its producer would; (partition, offset)."""
        topic = TOPICS[event.TOPIC]
        key = topic.key_of(event)
        own = EventHeaders(
            id=str(uuid.uuid4()), type=event.TOPIC, source=SOURCE, subject=key, time=datetime.now(UTC)
        ).to_kafka()
        merged = {**dict(own), **{name: value.encode() for name, value in headers.items()}}
        return self.send_bytes(event.TOPIC, encode(event), merged, key, topic.partition_of(event))

    def send_bytes(
        self, topic: str, value: bytes | None, headers: dict[str, bytes], key: str = "k", partition: int | None = None
    ) -> tuple[int, int]:
        """Produces any bytes; (partition, offset)."""
        done: list[tuple[int, int]] = []

        def report(error: object, message: Any) -> None:
            assert error is None, error
            done.append((message.partition(), message.offset()))

        self._producer.produce(
            self.stack.topic_prefix + topic,
            value=value,
            key=key,
            partition=-1 if partition is None else partition,
            headers=list(headers.items()),
            on_delivery=report,
        )
        self._producer.flush(10)
        return done[0]

    def records(self, topic: str) -> list[Record]:
        """The topic as it stands."""
        return self.reader.read([topic])[topic]

    def events(self, kind: type[Kind], attempt_id: str) -> list[Kind]:
        """Events of an attempt, each ce_id once."""
        found = {r.ce_id: r.event for r in self.records(kind.TOPIC)}
        return [e for e in found.values() if isinstance(e, kind) and getattr(e, "attempt_id", None) == attempt_id]

    def wait_events(self, kind: type[Kind], attempt_id: str, count: int = 1, seconds: float = 30.0) -> list[Kind]:
        """Waits for `count` events of an attempt."""
        found: list[Kind] = []

        def came() -> bool:
            found[:] = self.events(kind, attempt_id)
            return len(found) >= count

        wait_for(came, f"{count} {kind.TOPIC}", seconds)
        return found

    def lead_answer(self, lead: str) -> httpx.Response:
        """GET /v1/leads/{lead_id}."""
        return httpx.get(f"{self.stack.addresses.url('lead-router')}/v1/leads/{lead}", timeout=5)

    def ask(self) -> None:
        """Asks lead-router for one cleared offer more."""
        self._wanted += 1
        demand = PacingDemand(
            campaign_id=self.campaign_id,
            campaign_version=self.version,
            team_id=self.team_id,
            epoch=self._epoch,
            wanted_total=self._wanted,
            asked_at=self.now(),
        )
        self.send(demand)

    def cleared(self, external_id: str) -> ComplianceCleared:
        """Submits a lead, asks for it, and waits for its clearance."""
        lead = self.lead(external_id)
        self.send(lead)
        wait_for(lambda: self.lead_answer(lead.lead_id).status_code == 200, "the lead")
        self.ask()
        found: list[ComplianceCleared] = []

        def came() -> bool:
            events = (r.event for r in self.records(ComplianceCleared.TOPIC))
            found[:] = [e for e in events if isinstance(e, ComplianceCleared) and e.context.lead_id == lead.lead_id]
            return bool(found)

        wait_for(came, "compliance.cleared")
        return found[-1]

    def dial(self, cleared: ComplianceCleared, **changes: Any) -> CallDial:
        """The call.dial a pacer would send for it; not sent yet."""
        document = self.document()
        dial = CallDial(
            attempt_id=cleared.attempt_id,
            team_id=cleared.team_id,
            campaign_id=cleared.campaign_id,
            campaign_version=cleared.campaign_version,
            context=cleared.context,
            gateway_id="gateway-0",
            gateway_partition=0,
            token=cleared.token,
            mode=CallMode.LIVE_AUTODIALED,
            dial_mode=DialMode.PREDICTIVE,
            caller_id=document["caller_ids"][0],
            route_id=self.route_id,
            person_token=cleared.person_token,
            callee_token=cleared.callee_token,
            destination_prefix=cleared.destination_prefix,
            ring_timeout_seconds=document["ring_timeout_seconds"],
            safe_harbour=document["safe_harbour"]["prompt"],
            seller_id=document["seller"]["id"],
            lease_id=str(uuid.uuid4()),
            owner_epoch=FIRST_EPOCH,
            owner_address=self.stack.addresses.grpc("pacer"),
            decided_at=cleared.cleared_at,
            expires_at=cleared.expires_at,
        )
        return replace(dial, **changes)


def invites(carrier_log: Path, attempt_id: str) -> set[str]:
    """Call-IDs of the attempt that the carrier saw."""
    if not carrier_log.exists():
        return set()
    return {call_id for call_id, call in calls(lines(str(carrier_log))).items() if call["attempt"] == attempt_id}


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
