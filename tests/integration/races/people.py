"""Campaigns, people and their offers, as console, CRM and lead-router would send them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from outdial_contracts.events import (
    Address,
    CallDial,
    CallDisposition,
    CallMode,
    CampaignDocument,
    CampaignPublished,
    CampaignState,
    ComplianceCleared,
    Consent,
    ConsentLevel,
    Context,
    DialMode,
    DispositionCode,
    EndClass,
    Fault,
    LeadReady,
    LineType,
    Purpose,
    RuleOutcome,
    Segment,
)
from outdial_contracts.identity import attempt_id, lead_id

ROUTE, CALLER_ID = "races-route", "+12125550101"
RING_SECONDS = 18
OFFER_LIFE = timedelta(minutes=10)
CAP_WINDOW_HOURS = 24


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What the gate must know of one."""

    campaign_id: str
    seller_id: str = "S1"
    topic_id: str = "T1"
    cap: int = 3
    """Attempts per person in 24 hours; the same for all campaigns of a seller and topic."""
    ttl_seconds: int = 60


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with one number or two; a number may be another's too."""

    name: str
    numbers: tuple[str, ...]
    state: str


def published(campaign: Campaign, now: datetime) -> list[CampaignPublished]:
    """Version 1, and that it runs."""
    document = CampaignDocument(
        owner="ops@example.test",
        seller_id=campaign.seller_id,
        seller_name="Example Ltd",
        seller_callback="+12125550100",
        purpose=Purpose.MARKETING,
        topic_id=campaign.topic_id,
        mode=DialMode.PREDICTIVE,
        kpi="connect_rate",
        rollback_trigger="drop_rate > 0.03",
        abandon_limit=0.03,
        max_lines_per_agent=4.0,
        small_team_below=5,
        ring_timeout_seconds=RING_SECONDS,
        clearance_ttl_seconds=campaign.ttl_seconds,
        retry_max_per_person=campaign.cap,
        retry_window_hours=CAP_WINDOW_HOURS,
        route_id=ROUTE,
        safe_harbour="prompts/safe_harbour.wav",
    )

    def record(slot: str, state: CampaignState, document: CampaignDocument | None) -> CampaignPublished:
        return CampaignPublished(
            campaign_id=campaign.campaign_id,
            slot=slot,
            version=1,
            team_id="racers",
            state=state,
            published_at=now,
            published_by="ops@example.test",
            document=document,
        )

    return [record("1", CampaignState.UNKNOWN, document), record("state", CampaignState.RUNNING, None)]


def offer(campaign: Campaign, person: Person, number: str, offer_no: int, now: datetime) -> LeadReady:
    """A lead of the campaign; every offer_no of a number is an attempt of its own."""
    lead = lead_id("races", f"{campaign.campaign_id}/{person.name}/{number}")
    granted = now - timedelta(days=30)
    consent = Consent(
        consent_id=f"{campaign.seller_id}/{person.name}",
        seller_id=campaign.seller_id,
        purpose="any",
        channel="voice",
        level=ConsentLevel.PEWC,
        granted_at=granted,
        source="web-form",
        captured_at=granted,
        ip="192.0.2.1",
        text_sha256="ab" * 32,
    )
    return LeadReady(
        attempt_id=attempt_id(lead, offer_no),
        team_id="racers",
        campaign_id=campaign.campaign_id,
        campaign_version=1,
        context=Context(lead_id=lead, attempt_no=offer_no, segment=Segment.WARM, score_band="0.4-0.6"),
        offer_no=offer_no,
        person_id=person.name,
        phone=number,
        person_token="",
        callee_token="",
        seller_id=campaign.seller_id,
        topic_id=campaign.topic_id,
        purpose=Purpose.MARKETING,
        agent_guaranteed=False,
        line_type=LineType.MOBILE,
        consumer=True,
        address=Address(country="US", region=person.state),
        score=0.5,
        epoch=1,
        offered_at=now,
        expires_at=now + OFFER_LIFE,
        modes=(CallMode.LIVE_AUTODIALED,),
        consents=(consent,),
    )


def disposition(cleared: ComplianceCleared, now: datetime, *, charged: bool) -> CallDisposition:
    """Nobody answered; or, not charged, nothing was dialled."""
    return CallDisposition(
        attempt_id=cleared.attempt_id,
        team_id=cleared.team_id,
        campaign_id=cleared.campaign_id,
        campaign_version=1,
        context=cleared.context,
        lead_id=cleared.context.lead_id,
        revision=1,
        code=DispositionCode.NO_ANSWER if charged else DispositionCode.NOT_DIALLED,
        final=False,
        reached=charged,
        human_answer=False,
        connected=False,
        abandoned=False,
        conversation=False,
        right_party=False,
        conversion=False,
        dnc=False,
        charged=charged,
        end_class=EndClass.NO_ANSWER if charged else EndClass.UNKNOWN,
        fault=Fault.CALLEE if charged else Fault.US,
        closed_by_deadline=False,
        disposed_at=now,
        rule_outcomes=(RuleOutcome.NO_ANSWER,) if charged else (),
    )


def dial(cleared: ComplianceCleared) -> CallDial:
    """The pacer's order to dial a cleared offer."""
    return CallDial(
        attempt_id=cleared.attempt_id,
        team_id=cleared.team_id,
        campaign_id=cleared.campaign_id,
        campaign_version=1,
        context=cleared.context,
        gateway_id="gateway-0",
        gateway_partition=0,
        token=cleared.token,
        mode=CallMode.LIVE_AUTODIALED,
        dial_mode=DialMode.PREDICTIVE,
        caller_id=CALLER_ID,
        route_id=ROUTE,
        person_token=cleared.person_token,
        callee_token=cleared.callee_token,
        destination_prefix=cleared.destination_prefix,
        ring_timeout_seconds=RING_SECONDS,
        safe_harbour="prompts/safe_harbour.wav",
        seller_id="",
        lease_id="lease",
        owner_epoch=1,
        owner_address="127.0.0.1:1",
        decided_at=cleared.cleared_at,
        expires_at=cleared.expires_at,
    )
