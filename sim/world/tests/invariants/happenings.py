"""What else may happen in a hand-made history, and what is left of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from outdial_world.history import ProcessChange, ProcessEvent

from outdial_contracts.events import (
    CallDial,
    CallMode,
    CallProgress,
    DialMode,
    ProgressStage,
    SuppressionChanged,
    SuppressionSource,
    Verdict,
)

from .making import CAMPAIGN, GATEWAY, Book, at


def crash(book: Book, seconds: float, instance: str = GATEWAY) -> None:
    service = instance.rpartition("-")[0]
    change = ProcessChange.CRASHED
    event = ProcessEvent(seq=book.seq, at=at(seconds), service=service, instance=instance, change=change)
    book.history.processes.append(event)


def changed(book: Book, seconds: float) -> None:
    event = SuppressionChanged(
        suppression_id="s",
        seller_id="*",
        source=SuppressionSource.CRM,
        requested_at=at(seconds),
        changed_at=at(seconds),
        person_tokens=("1.p-1",),
    )
    book.say(event, seconds)


def dial(attempt_id: str, seconds: float, book: Book, **changes: Any) -> CallDial:
    values: dict[str, Any] = {
        **book.head(attempt_id),
        "gateway_id": "gateway-0",
        "gateway_partition": 0,
        "token": "signed",
        "mode": CallMode.LIVE_AUTODIALED,
        "dial_mode": DialMode.PREDICTIVE,
        "caller_id": "+12125550101",
        "route_id": "route",
        "person_token": "1.p-1",
        "callee_token": "1.n",
        "destination_prefix": "+1212",
        "ring_timeout_seconds": 18,
        "safe_harbour": "message.wav",
        "seller_id": "S1",
        "lease_id": "c-0-1",
        "owner_epoch": 0,
        "owner_address": "pacer-0:7000",
        "decided_at": at(seconds),
        "expires_at": at(seconds + 5),
    }
    return CallDial(**(values | changes))


def verdict(book: Book, attempt_id: str, seconds: float) -> None:
    """A person answered."""
    event = CallProgress(
        **book.head(attempt_id),
        stage=ProgressStage.VERDICT,
        leg_no=1,
        gateway_id="gateway-0",
        at=at(seconds),
        verdict=Verdict.HUMAN,
    )
    book.say(event, seconds)


def team(*, calls: int = 0, cleared_total: int = 1, humans: int = 0, abandoned: int = 0) -> Any:
    """What is left of a pacer's team."""
    call = SimpleNamespace(caller_id="+12125550101")
    campaign = SimpleNamespace(campaign_id=CAMPAIGN, supply=SimpleNamespace(cleared_total=cleared_total))
    return SimpleNamespace(
        agents={},
        calls={f"c{n}": call for n in range(calls)},
        offers={},
        unwanted={},
        campaigns={CAMPAIGN: campaign},
        budgets={"S1/T1": SimpleNamespace(humans=humans, abandoned=abandoned)},
    )
