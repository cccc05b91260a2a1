"""What the console's upstreams answer in these tests, and the events of a campaign at work. Nobody in it exists."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from console.domain.campaign_file import parse_campaign
from outdial_cli.report.page import keep, report_page
from outdial_contracts import events as ev
from outdial_contracts.identity import attempt_id as id_of_offer

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
CAMPAIGN, OTHER_CAMPAIGN = "spring-renewal", "late-notice"
LEAD = "405559c8-8b06-5a7d-a5a6-5a7d84c2c264"
ATTEMPT = id_of_offer(LEAD, 1)
NUMBER = "+12125550123"
"""Of the callee: must never be on a page."""
CONSENT_ADDRESS = "192.0.2.168"
"""Where a consent was given from: stays at the gate."""
PACER_SENTENCE = "Every agent is on a call or wrapping up."


def at(seconds: float) -> str:
    """RFC 3339, seconds after the attempt was offered."""
    return (START + timedelta(seconds=seconds)).isoformat()


def campaigns() -> Iterator[ev.CampaignPublished]:
    """Two campaigns of two teams: one that runs, one that is paused."""
    raw = yaml.safe_load((ROOT / "examples" / "campaign.yaml").read_text())
    _, _, document = parse_campaign(raw)
    states = ((CAMPAIGN, "blue", ev.CampaignState.RUNNING), (OTHER_CAMPAIGN, "green", ev.CampaignState.PAUSED))
    for campaign_id, team_id, state in states:
        for slot, doc, told in (("1", document, ev.CampaignState.UNKNOWN), ("state", None, state)):
            yield ev.CampaignPublished(
                campaign_id=campaign_id,
                slot=slot,
                version=1,
                team_id=team_id,
                state=told,
                document=doc,
                published_at=START,
                published_by="test",
            )


def progress(attempt_id: str, stage: str, when: datetime, **more: Any) -> ev.CallProgress:
    """A call of the running campaign reached a stage."""
    context = ev.Context(lead_id=LEAD, attempt_no=1, segment=ev.Segment.COLD, score_band="0.4-0.6")
    return ev.CallProgress(
        attempt_id=attempt_id,
        team_id="blue",
        campaign_id=CAMPAIGN,
        campaign_version=1,
        context=context,
        stage=ev.ProgressStage(stage),
        leg_no=1,
        gateway_id="gateway-0",
        at=when,
        **more,
    )


def quarter_of_an_hour(now: datetime, seed: int = 7) -> Iterator[ev.CallProgress]:
    """Calls of the last 15 minutes: about one in three answered by a person, most of those bridged."""
    chance, when = random.Random(seed), now - timedelta(minutes=13)
    while when < now - timedelta(seconds=20):
        attempt_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        yield progress(attempt_id, "INVITED", when)
        if chance.random() < 0.34:
            human = ev.Verdict.HUMAN
            yield progress(attempt_id, "VERDICT", when + timedelta(seconds=7), verdict=human)
            if chance.random() < 0.92:
                yield progress(attempt_id, "ASSIGNED", when + timedelta(seconds=7.1), agent_id="agent-07")
                yield progress(attempt_id, "BRIDGED", when + timedelta(seconds=7.2), agent_id="agent-07")
        when += timedelta(seconds=chance.expovariate(0.22))


def call_of_the_attempt() -> Iterator[ev.CallProgress]:
    """What only the console's own topics tell of the attempt: the verdict and who took it."""
    told = (("INVITED", 0.141), ("VERDICT", 8.052), ("ASSIGNED", 8.118), ("BRIDGED", 8.162))
    for stage, seconds in told:
        human = ev.Verdict.HUMAN if stage == "VERDICT" else None
        agent = "agent-07" if stage in ("ASSIGNED", "BRIDGED") else None
        when = START + timedelta(seconds=seconds)
        yield progress(ATTEMPT, stage, when, verdict=human, agent_id=agent)


def why(campaign_id: str, **facts: Any) -> dict[str, Any]:
    """The pacer's answer."""
    plain = {
        "live_calls": 27,
        "queued_offers": 9,
        "humans": 412,
        "abandoned": 7,
        "budget_left_calls": 8,
    }
    return {
        "campaign_id": campaign_id,
        "binding": "AGENTS_BUSY",
        "sentence": PACER_SENTENCE,
        "facts": {**plain, **facts},
    }


def answers(shift: timedelta) -> dict[str, Any]:
    """Path -> JSON of all upstreams together; domain time is `shift` ahead of real time, in which spans are."""
    paused = why(OTHER_CAMPAIGN, live_calls=0, queued_offers=0, humans=88, abandoned=6, budget_left_calls=-1)
    paused |= {"binding": "PAUSED", "sentence": "The campaign is paused."}
    agents = {"available": 2, "reserved": 1, "talking": 11, "wrapup": 4, "paused": 2}
    return {
        f"/v1/why/{CAMPAIGN}": why(CAMPAIGN),
        f"/v1/why/{OTHER_CAMPAIGN}": paused,
        "/v1/teams/blue": {"agents": agents, "lines_per_agent": 1.37, "utilisation": 0.812},
        "/v1/teams/green": {"agents": {"paused": 3}, "lines_per_agent": None, "utilisation": 0.44},
        f"/v1/connect-rate?{CAMPAIGN}": {"campaign_id": CAMPAIGN, "hours": _hours()},
        f"/v1/connect-rate?{OTHER_CAMPAIGN}": {"campaign_id": OTHER_CAMPAIGN, "hours": {}},
        f"/v1/totals?{CAMPAIGN}": {"attempts": 618, "human_answers": 203, "connects": 191, "abandoned": 3},
        f"/v1/totals?{OTHER_CAMPAIGN}": {"attempts": 0, "human_answers": 0, "connects": 0, "abandoned": 0},
        f"/v1/facts?{CAMPAIGN}": {"rows": [_fact(n) for n in range(40)], "offer_ends": {"BLOCKED": 38, "LAPSED": 21}},
        f"/v1/leads/{LEAD}": _lead(),
        f"/v1/evidence/{ATTEMPT}": _evidence(),
        f"/v1/attempts/{ATTEMPT}": _record(),
        f"/traces/{uuid.UUID(ATTEMPT).hex}": list(_spans(shift)),
    }


def demo_report() -> dict[str, Any]:
    """report.json of a run."""
    latency = {"n": 191, "p50": 95.4, "p99": 968.7}
    return {
        "rows": 300, "leads": 285, "offers": 252, "cleared": 214, "redeemed": 192, "invites_seen_by_carrier": 191,
        "humans_answered": 64, "connected": 59, "abandoned": 0, "hung_up_as_machine": 0, "hung_up_first": 5,
        "drop_rate": 0.0, "drop_budget": {"limit": 0.03, "left_calls": 4.92}, "agent_utilisation": 0.6524,
        "lines_per_agent": 1.371, "dispositions": {"MACHINE": 49, "NOT_INTERESTED": 40, "NO_ANSWER": 37, "BUSY": 12},
        "blocked": {"HOURS": 14, "CONSENT_MISSING": 12, "INTERNAL_DNC": 12},
        "connect_rate_by_local_hour": _hours(), "latency_ms": {"decision_to_invite": latency, "verdict_to_audio": None},
        "ledger": {"records": 875, "verified": True}, "ledger_altered_byte": {"said": "chain 03cc… breaks at 7"},
        "traces": {"checked": 192, "complete": 192}, "invites_without_redemption": 0, "duplicate_invites": 0,
        "attempts_without_disposition": 0, "opt_out": {"attempt_id": ATTEMPT, "refused_at_last_look": True},
        "phase_seconds": {"start": 12.3, "dial": 90.1, "drain": 55.8}, "broken": [], "shown_attempt": ATTEMPT,
    }  # fmt: skip


def write_reports(folder: Path) -> None:
    """Two runs of the demo, as the demo writes them."""
    for hours in (1, 0):
        written_at = START - timedelta(hours=hours)
        keep(report_page(demo_report(), list(_spans(timedelta())), written_at), folder, written_at)


def _hours() -> dict[str, Any]:
    counts = {8: (41, 6), 9: (118, 33), 10: (171, 58), 11: (139, 47), 12: (96, 24), 13: (38, 17), 14: (15, 6)}
    return {
        f"{hour:02d}": {
            "attempts": attempts,
            "human_answers": connects + 3,
            "connects": connects,
            "connect_rate": round(connects / attempts, 4),
        }
        for hour, (attempts, connects) in counts.items()
    }


def _fact(number: int) -> dict[str, Any]:
    codes = ("NO_ANSWER", "NOT_INTERESTED", "MACHINE", "INTERESTED", "BUSY")
    return {
        "attempt_id": str(uuid.UUID(int=number + 1, version=4)),
        "campaign_id": CAMPAIGN,
        "redeemed_at": at(number * 3),
        "ended_at": at(number * 3 + 20),
        "code": codes[number % len(codes)],
    }


def _lead() -> dict[str, Any]:
    return {
        "lead_id": LEAD,
        "source": "demo-crm",
        "campaign_id": CAMPAIGN,
        "segment": "COLD",
        "status": "DONE",
        "is_final": True,
        "offers": 1,
        "attempts": 1,
        "last_code": "NOT_INTERESTED",
        "block_reasons": [],
        "due_at": at(0),
    }


def _record() -> dict[str, Any]:
    end = {"ended_at": at(42.6), "end_class": "CONNECTED", "agent_id": "agent-07"}
    event = {
        "code": "NOT_INTERESTED",
        "revision": 1,
        "disposed_at": at(46.21),
        "agent_id": "agent-07",
        "route_id": "demo-carrier",
        "fault": "CALLEE",
        "sip_status": 200,
    }
    return {
        "attempt_id": ATTEMPT,
        "head": {"campaign_id": CAMPAIGN, "team_id": "blue", "context": {"lead_id": LEAD}},
        "redemption": {"redeemed_at": at(0.131)},
        "invited_at": at(0.141),
        "alerting_at": at(0.462),
        "answered_at": at(6.72),
        "bridged_at": at(8.162),
        "end": end,
        "wrapup": {"at": at(46.19), "code": "NOT_INTERESTED"},
        "said": [{"cause": "c", "event": event}],
    }


def _evidence() -> dict[str, Any]:
    rules = {
        "HOUSE-PERSON-24H": "POLICY; a person is called at most 8 times in 24 hours for one seller",
        "US-FED-HOURS": "47 CFR 64.1200(c)(1); 16 CFR 310.4(c)",
        "US-PEWC-AUTODIAL-MOBILE": "47 CFR 64.1200(a)(2); POLICY treats every automatic dial as an autodialer",
    }
    chain = "03cc22a66c654713835eaa407133f3ce"
    return {
        "attempt_id": ATTEMPT,
        "decision": {
            "at": at(0.067),
            "ledger_record": f"{chain}.decisions:53",
            "rule_pack": "2026.11-1+house-1",
            "allowed": True,
            "tzdata": "2026.6",
            "allowed_modes": ["LIVE_AUTODIALED"],
            "may_play_recording": False,
            "recording_rule": "ANNOUNCE",
            "expires_at": at(60),
            "rules": [{"rule_id": name, "citation": text} for name, text in rules.items()],
        },
        "facts": {
            "offered_at": at(0),
            "lead_id": LEAD,
            "campaign": f"{CAMPAIGN}/1",
            "seller_id": "S1",
            "topic_id": "T1",
            "purpose": "MARKETING",
            "modes": ["LIVE_AUTODIALED"],
            "line_type": "MOBILE",
            "consumer": True,
            "person_token": "1.YUnWuaqDQJjZCdldDNuubo",
            "callee_token": "1.9vUqw7b5kVQQIjhmiRDf4t",
            "region": "US-WI",
            "local_zone": "America/Chicago",
        },
        "consents": [_consent()],
        "suppressions": [],
        "redemptions": [
            {
                "leg_no": 1,
                "granted": True,
                "reasons": [],
                "rule_ids": [],
                "at": at(0.131),
                "ledger_record": f"{chain}.redemptions:2",
            }
        ],
        "closed": {"state": "REDEEMED", "at": at(0.131)},
        "outcome": {"charged": True, "rule_outcomes": ["CONVERSATION"], "revision": 1, "mode": "LIVE_AUTODIALED"},
        "ledger": [_ledger("DECISION", 53, 0.067, chain), _ledger("REDEMPTION", 2, 0.131, chain)],
    }


def _consent() -> dict[str, Any]:
    return {
        "consent_id": "6440caf9-6a29-5247-8493-f4d8397d97cf",
        "seller_id": "S1",
        "purpose": "marketing",
        "channel": "voice",
        "level": "PEWC",
        "granted_at": "2026-08-20T17:30:00+00:00",
        "expires_at": None,
        "revoked_at": None,
        "source": "web-form",
        "captured_at": "2026-08-20T17:30:00+00:00",
        "ip": CONSENT_ADDRESS,
        "text_sha256": "be7611d0e1d4e7f1ec103e23a2ac0ca332c4cb911047ead9e74c4bb8491f5078",
    }


def _ledger(kind: str, seq: int, seconds: float, chain: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "seq": seq,
        "chain_id": f"{chain}.{'decisions' if kind == 'DECISION' else 'redemptions'}",
        "hash": "626b483d76b4d885481cdb56eeb650d6cd127ef5824019533796a83de4358e1f",
        "previous": "ac701c3898301f724fa38eb570a971ca2a95957eff5a61eefb26c61cc7f6fff0",
        "type": "record",
        "body": {"at": at(seconds), "attempt_id": ATTEMPT, "campaign": f"{CAMPAIGN}/1", "decision": "cleared"},
    }


def _spans(shift: timedelta) -> Iterator[dict[str, Any]]:
    for service, name, seconds, lasts in (
        ("lead-router", "lead.ready publish", 0.0, 0.001),
        ("compliance-gate", "lead.ready process", 0.057, 0.010),
        ("pacer", "compliance.cleared process", 0.071, 0.001),
        ("pacer", "call.dial publish", 0.088, 0.001),
        ("media-gateway", "call.dial process", 0.091, 0.002),
        ("media-gateway", "call redeem", 0.093, 0.047),
        ("compliance-gate", "Clearance.Redeem", 0.096, 0.043),
        ("pacer", "AgentRouter.Assign", 8.118, 0.010),
        ("disposition", "call.ended process", 42.61, 0.004),
        ("disposition", "agent.wrapup process", 46.2, 0.018),
        ("lead-router", "call.disposition process", 46.25, 0.009),
    ):
        start = int(((START - shift).timestamp() + seconds) * 1e9)
        yield {"service": service, "name": name, "start_ns": start, "end_ns": start + int(lasts * 1e9)}
