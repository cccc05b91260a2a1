"""Hand-made histories: one attempt that lived as it should, to be broken by each test."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from outdial_world.history import History, Invite, Rpc, TopicRecord
from outdial_world.invariants import Name, check

from outdial_contracts.base import Event
from outdial_contracts.events import (
    Address,
    CallDisposition,
    CallEnded,
    CallMode,
    CallProgress,
    CampaignPublished,
    CampaignState,
    ClearanceClosed,
    CloseOutcome,
    CloseReason,
    ComplianceCleared,
    Context,
    DispositionCode,
    EndClass,
    Fault,
    LeadReady,
    LeadState,
    LeadStatus,
    LineType,
    PacingDemand,
    ProgressStage,
    Purpose,
    RecordingRule,
    Segment,
)
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_testing.campaigns import campaign_document

START = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
TEAM, CAMPAIGN, GATEWAY, BOOT = "blue", "spring", "media-gateway-0", "boot-1"
CONTEXT = Context(
    lead_id="lead-1",
    attempt_no=1,
    segment=Segment.COLD,
    score_band="0.4-0.6",
    region="US-NY",
    local_zone="America/New_York",
)
DOCUMENT = campaign_document(caller_ids=("+12125550101",))


def at(seconds: float) -> datetime:
    """Seconds after the start."""
    return START + timedelta(seconds=seconds)


class Book:
    """Builds a history; every method adds what usually happens and takes what is different."""

    def __init__(self) -> None:
        self.history = History(seed=1, started_at=START, ended_at=at(600), drained=True)
        self._seq = 0
        published = CampaignPublished(
            campaign_id=CAMPAIGN,
            slot="3",
            version=3,
            team_id=TEAM,
            state=CampaignState.UNKNOWN,
            published_at=START,
            published_by="ops",
            document=DOCUMENT,
        )
        self.say(published, 0.0)

    @property
    def seq(self) -> int:
        self._seq += 1
        return self._seq

    def say(self, event: Event, seconds: float, *, ce_id: str = "", dead: bool = False, source: str = "x") -> None:
        """A record on the event's topic."""
        seq = self.seq
        record = TopicRecord(
            seq=seq,
            at=at(seconds),
            topic=event.TOPIC,
            partition=0,
            offset=seq,
            key="k",
            ce_id=ce_id or f"id-{seq}",
            ce_time=at(seconds),
            source=source,
            event=event,
            dead=dead,
        )
        self.history.records.append(record)

    def head(self, attempt_id: str, lead_id: str = "lead-1") -> dict[str, Any]:
        """What all events of an attempt share."""
        context = replace(CONTEXT, lead_id=lead_id)
        names = {"attempt_id": attempt_id, "team_id": TEAM, "campaign_id": CAMPAIGN, "campaign_version": 3}
        return {**names, "context": context}

    def offered(self, attempt_id: str, seconds: float, person: str = "p-1", number: str = "+12125550001") -> None:
        """lead.ready and what was wanted."""
        lead_id = f"lead-of-{person}"
        self.history.persons[number] = person
        demand = PacingDemand(
            campaign_id=CAMPAIGN, campaign_version=3, team_id=TEAM, epoch=0, wanted_total=50, asked_at=at(seconds)
        )
        self.say(demand, seconds)
        offer = LeadReady(
            **self.head(attempt_id, lead_id),
            offer_no=1,
            person_id=person,
            phone=number,
            person_token=f"1.{person}",
            callee_token=f"1.{number[-4:]}",
            seller_id="S1",
            topic_id="T1",
            purpose=Purpose.MARKETING,
            agent_guaranteed=False,
            line_type=LineType.MOBILE,
            consumer=True,
            address=Address(country="US", region="NY"),
            score=0.5,
            epoch=0,
            offered_at=at(seconds),
            expires_at=at(seconds + 60),
            modes=(CallMode.LIVE_AUTODIALED,),
        )
        self.say(offer, seconds)

    def cleared(self, attempt_id: str, seconds: float, person: str = "p-1") -> None:
        """compliance.cleared."""
        event = ComplianceCleared(
            **self.head(attempt_id, f"lead-of-{person}"),
            person_token=f"1.{person}",
            callee_token="1.n",
            country="US",
            number_class="mobile",
            destination_prefix="+1212",
            agent_guaranteed=False,
            may_play_recording=False,
            recording_rule=RecordingRule.NONE,
            rule_pack="r",
            tzdata="t",
            score=0.5,
            token="signed",
            cleared_at=at(seconds),
            expires_at=at(seconds + 60),
        )
        self.say(event, seconds)

    def redeemed(self, attempt_id: str, seconds: float, person: str = "p-1", nonce: str = "n1", leg: int = 1) -> Rpc:
        """Redeem, granted, and its clearance.closed."""
        rpc = self.grant(attempt_id, seconds, nonce=nonce, leg=leg)
        self.closed(attempt_id, seconds, person)
        return rpc

    def grant(self, attempt_id: str, seconds: float, *, nonce: str = "n1", leg: int = 1, boot: str = BOOT) -> Rpc:
        """Only the rpc."""
        request = pb.RedeemRequest(attempt_id=attempt_id, leg_no=leg, boot_id=boot, nonce=nonce)
        reply = pb.RedeemReply(granted=pb.Granted(e164="", grant_ms=300))
        rpc = Rpc(
            seq=self.seq,
            method="Clearance.Redeem",
            caller=GATEWAY,
            callee="compliance-gate-0",
            asked_at=at(seconds - 0.01),
            request=request,
            answered_at=at(seconds),
            reply=reply,
            received_at=at(seconds + 0.01),
        )
        self.history.rpcs.append(rpc)
        return rpc

    def closed(
        self, attempt_id: str, seconds: float, person: str = "p-1", outcome: CloseOutcome = CloseOutcome.REDEEMED
    ) -> ClearanceClosed:
        """clearance.closed."""
        event = ClearanceClosed(
            **self.head(attempt_id, f"lead-of-{person}"),
            outcome=outcome,
            reason=CloseReason.DIALLED,
            mode=CallMode.LIVE_AUTODIALED,
            ring_timeout_seconds=18,
            closed_at=at(seconds),
            gateway_id="gateway-0",
            boot_id=BOOT,
        )
        self.say(event, seconds)
        return event

    def invited(self, attempt_id: str, seconds: float, *, leg: int = 1, number: str = "+12125550001") -> Invite:
        """An INVITE at the carrier that nobody answers."""
        invite = Invite(
            seq=self.seq,
            at=at(seconds),
            call_id=f"{attempt_id}.{leg}@h",
            attempt_id=attempt_id,
            leg_no=leg,
            gateway=GATEWAY,
            boot_id=BOOT,
            trunk_id="t",
            number=number,
            person_id=self.history.persons.get(number, ""),
            caller_id="+12125550101",
            behaviour="human",
        )
        self.history.invites.append(invite)
        return invite

    def assigned(self, attempt_id: str, seconds: float, agent: str = "a-1", lease: str = "a-0-1") -> None:
        """ASSIGNED and BRIDGED."""
        for stage in (ProgressStage.ASSIGNED, ProgressStage.BRIDGED):
            event = CallProgress(
                **self.head(attempt_id),
                stage=stage,
                leg_no=1,
                gateway_id="gateway-0",
                at=at(seconds),
                agent_id=agent,
                agent_lease_id=lease,
            )
            self.say(event, seconds)

    def ended(self, attempt_id: str, seconds: float, **changes: Any) -> CallEnded:
        """call.ended of a call that nobody answered."""
        values: dict[str, Any] = {
            "leg_no": 1,
            "gateway_id": "gateway-0",
            "boot_id": BOOT,
            "lease_id": "c-0-1",
            "dialled": True,
            "end_class": EndClass.NO_ANSWER,
            "fault": Fault.CALLEE,
            "hung_up_by": Fault.US,
            "safe_harbour_played": False,
            "ended_at": at(seconds),
            "packets_received": 0,
            "packets_lost": 0,
            "jitter_ms": 0.0,
        }
        event = CallEnded(**self.head(attempt_id), **(values | changes))
        self.say(event, seconds)
        return event

    def disposed(self, attempt_id: str, seconds: float, person: str = "p-1", **changes: Any) -> CallDisposition:
        """call.disposition, revision 1."""
        flags = ("final", "reached", "human_answer", "connected", "abandoned", "conversation", "right_party")
        values: dict[str, Any] = {
            **dict.fromkeys((*flags, "conversion", "dnc", "closed_by_deadline"), False),
            "lead_id": f"lead-of-{person}",
            "revision": 1,
            "code": DispositionCode.NO_ANSWER,
            "charged": True,
            "end_class": EndClass.NO_ANSWER,
            "fault": Fault.CALLEE,
            "disposed_at": at(seconds),
        }
        event = CallDisposition(**self.head(attempt_id, f"lead-of-{person}"), **(values | changes))
        self.say(event, seconds)
        return event

    def lead_state(self, seconds: float, attempts: int, person: str = "p-1", revision: int = 1) -> None:
        """lead.state."""
        event = LeadState(
            lead_id=f"lead-of-{person}",
            source="crm",
            external_id=f"L-{person}",
            campaign_id=CAMPAIGN,
            status=LeadStatus.WAITING,
            is_final=False,
            attempts=attempts,
            revision=revision,
            at=at(seconds),
        )
        self.say(event, seconds)

    def attempt(self, attempt_id: str, seconds: float, person: str = "p-1", number: str = "+12125550001") -> Invite:
        """A whole attempt that nobody answered, over twenty seconds later."""
        self.offered(attempt_id, seconds, person, number)
        self.cleared(attempt_id, seconds + 0.1, person)
        self.redeemed(attempt_id, seconds + 1.0, person)
        invite = self.invited(attempt_id, seconds + 1.05, number=number)
        invite.rang_at, invite.ended_at, invite.end = at(seconds + 2), at(seconds + 20), "gateway"
        self.ended(attempt_id, seconds + 20.0)
        self.disposed(attempt_id, seconds + 20.1, person)
        return invite

    def broken(self) -> set[Name]:
        """Names of the invariants that do not hold."""
        return {violation.name for violation in check(self.history)}


def good() -> Book:
    """One attempt as it should be."""
    book = Book()
    book.attempt("a1", 10.0)
    book.lead_state(12.0, attempts=1)
    return book
