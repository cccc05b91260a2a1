"""One call's events, each under a cause that a repeat would share."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

from media_gateway.domain.endings import EndFacts, cause_of, ending_of
from media_gateway.handlers.deps import Deps
from media_gateway.rtp.stream import ReceiveReport
from outdial_contracts.base import Event
from outdial_contracts.events import (
    CallAnswered,
    CallDial,
    CallEnded,
    CallProgress,
    EndClass,
    Fault,
    NotDialledReason,
    ProgressStage,
)
from outdial_runtime.outcome import Emit


class CallLog:
    """Writes call.progress, call.answered and call.ended of one leg of one attempt to the outbox."""

    def __init__(self, dial: CallDial, deps: Deps, leg_no: int = 1) -> None:
        self._dial, self._deps, self._leg_no = dial, deps, leg_no
        self.closed = False
        """call.ended was said: nothing may follow it."""
        self._said: Counter[str] = Counter()
        self._head: dict[str, Any] = {
            "attempt_id": dial.attempt_id,
            "team_id": dial.team_id,
            "campaign_id": dial.campaign_id,
            "campaign_version": dial.campaign_version,
            "context": dial.context,
            "leg_no": leg_no,
            "gateway_id": deps.config.gateway_id,
        }

    def progress(self, stage: ProgressStage, at: datetime, **facts: Any) -> None:
        """The call reached a stage; `facts` are fields of CallProgress."""
        event = CallProgress(**self._head, stage=stage, at=at, **facts)
        what = f"{stage.value}:{facts.get('agent_lease_id', '')}"
        self._said[what] += 1  # an agent who was lost and came back is given the call again
        self._emit(event, what if self._said[what] == 1 else f"{what}:{self._said[what]}")

    def answered(self, trunk_id: str, at: datetime) -> None:
        """The 200."""
        self._emit(CallAnswered(**self._head, trunk_id=trunk_id, answered_at=at), "answered")

    def not_dialled(self, reason: NotDialledReason, at: datetime) -> None:
        """Surely no INVITE left."""
        self._close(replace(self._unsent(at), not_dialled_reason=reason))

    def ended(self, facts: EndFacts, received: ReceiveReport, **more: Any) -> None:
        """The end of a dialled call; `more` are the other fields of CallEnded that are known."""
        ending = ending_of(facts)
        event = replace(
            self._unsent(facts.ended_at),
            dialled=True,
            end_class=ending.end_class,
            fault=ending.fault,
            hung_up_by=ending.hung_up_by,
            sip_status=facts.status,
            q850_cause=cause_of(facts.status, facts.q850_cause),
            verdict=facts.verdict,
            safe_harbour_played=facts.safe_harbour,
            invited_at=facts.invited_at,
            alerting_at=facts.alerting_at,
            answered_at=facts.answered_at,
            greeting_ended_at=facts.greeting_ended_at,
            bridged_at=facts.bridged_at,
            packets_received=received.packets,
            packets_lost=max(received.lost, 0),
            jitter_ms=received.jitter_ms,
            **more,
        )
        self._close(event)

    def _unsent(self, ended_at: datetime) -> CallEnded:
        return CallEnded(
            **self._head,
            boot_id=self._deps.boot_id,
            lease_id=self._dial.lease_id,
            dialled=False,
            end_class=EndClass.NOT_DIALLED,
            fault=Fault.US,
            hung_up_by=Fault.US,
            route_id=self._dial.route_id,
            caller_id=self._dial.caller_id,
            safe_harbour_played=False,
            ended_at=ended_at,
            packets_received=0,
            packets_lost=0,
            jitter_ms=0.0,
        )

    def _close(self, event: CallEnded) -> None:
        self.closed = True
        self._emit(event, "ended")

    def _emit(self, event: Event, what: str) -> None:
        self._deps.outbox.emit(Emit(event=event, cause=f"{self._dial.attempt_id}:{self._leg_no}:{what}"))
