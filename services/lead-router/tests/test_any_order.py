"""Answers in any order, late and repeated: no impossible transition, no attempt id twice, totals that add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lead_router.domain.lifecycle import OfferState
from lead_router.handlers.controls import on_suppression_changed
from lead_router.handlers.intake import delete_lead
from lead_router.handlers.offers import on_call_disposition, on_clearance_closed, on_compliance_blocked
from outdial_contracts import events as ev

if TYPE_CHECKING:
    from conftest import Desk


@dataclass(frozen=True, kw_only=True)
class Step:
    what: str
    offer: int
    """Which lead.ready so far it is about, counted from the newest."""
    pick: int
    """Chooses reason, outcome, code or seconds."""


OFTEN = ("demand", "tick", "blocked", "closed", "disposition", "revision")
WORDS = (*OFTEN, *OFTEN, *OFTEN, "epoch", "suppressed", "cancelled")
steps = st.builds(Step, what=st.sampled_from(WORDS), offer=st.integers(0, 3), pick=st.integers(0, 18))
REASONS = (ev.BlockReason.CONSENT_MISSING, ev.BlockReason.OPEN_ATTEMPT, ev.BlockReason.DNC_LISTED)
OUTCOMES = (ev.CloseOutcome.REDEEMED, ev.CloseOutcome.REFUSED, ev.CloseOutcome.LAPSED)
CODES = list(ev.DispositionCode)


def head(ready: ev.LeadReady) -> dict[str, Any]:
    names = ("attempt_id", "team_id", "campaign_id", "campaign_version", "context")
    return {name: getattr(ready, name) for name in names}


def disposition(desk: Desk, ready: ev.LeadReady, pick: int, revision: int) -> ev.CallDisposition:
    names = ("final", "reached", "human_answer", "connected", "abandoned", "conversation", "right_party")
    flags: dict[str, Any] = dict.fromkeys((*names, "conversion", "dnc", "closed_by_deadline"), False)
    return ev.CallDisposition(
        **head(ready),
        **flags,
        lead_id=ready.context.lead_id,
        revision=revision,
        code=CODES[pick % len(CODES)],
        charged=CODES[pick % len(CODES)] is not ev.DispositionCode.NOT_DIALLED,
        end_class=ev.EndClass.UNKNOWN,
        fault=ev.Fault.UNKNOWN,
        disposed_at=desk.now,
    )


class World:
    """Plays steps against the handlers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.wanted, self.epoch = 0, 1
        self.lost: set[str] = set()

    async def play(self, step: Step) -> None:
        desk, sent = self.desk, await self.desk.sent(ev.LeadReady)
        if step.what == "demand":
            self.wanted += step.pick % 3
            await desk.demand(self.wanted, epoch=self.epoch)
        elif step.what == "epoch":
            self.epoch, self.wanted = self.epoch + 1, 1
            await desk.demand(1, epoch=self.epoch)
        elif step.what == "tick":
            await desk.tick(step.pick * 30)
        elif sent:
            await self.answer(step, sent[-1 - step.offer % len(sent)])

    async def answer(self, step: Step, ready: ev.LeadReady) -> None:
        desk, now = self.desk, self.desk.now
        if step.what == "blocked":
            allowed = now + timedelta(minutes=5) if step.pick > 9 else None
            reasons = (REASONS[step.pick % 3],)
            blocked = ev.ComplianceBlocked(
                **head(ready),
                epoch=ready.epoch,
                rule_pack="r",
                blocked_at=now,
                reasons=reasons,
                next_allowed_at=allowed,
            )
            await on_compliance_blocked(desk.received(blocked), desk.deps)
        elif step.what == "closed":
            closed = ev.ClearanceClosed(
                **head(ready),
                outcome=OUTCOMES[step.pick % 3],
                reason=ev.CloseReason.UNKNOWN,
                mode=ev.CallMode.LIVE_AUTODIALED,
                ring_timeout_seconds=18,
                closed_at=now,
            )
            await on_clearance_closed(desk.received(closed), desk.deps)
        elif step.what in ("disposition", "revision"):
            event = disposition(desk, ready, step.pick, 1 if step.what == "disposition" else 2)
            await on_call_disposition(desk.received(event), desk.deps)
        elif step.what == "suppressed":
            tokens = {"person_tokens": (ready.person_token,)}
            source = ev.SuppressionSource.AGENT
            suppressed = ev.SuppressionChanged(
                suppression_id="s", seller_id="*", source=source, requested_at=now, changed_at=now, **tokens
            )
            await on_suppression_changed(desk.received(suppressed), desk.deps)
        else:
            await delete_lead(desk.request(path={"lead_id": ready.context.lead_id}), desk.deps)

    async def check(self) -> None:
        """Sent and blocked totals are the offers of this epoch and those that were lost, each once."""
        sent = await self.desk.sent(ev.LeadReady)
        async with self.desk.store.work() as work:
            offers = [offer for ready in sent if (offer := await work.offer(ready.attempt_id)) is not None]
            demand = await work.demand("c1")
        assert len(offers) == len(sent) == len({ready.attempt_id for ready in sent})
        self.lost |= {o.attempt_id for o in offers if o.state in (OfferState.BLOCKED, OfferState.UNANSWERED)}
        assert demand is not None
        mine = {offer.attempt_id for offer in offers if offer.epoch == demand.epoch}
        assert (demand.sent_total, demand.blocked_total) == (len(mine), len(mine & self.lost))
        assert demand.supplied <= demand.wanted_total
        redeemed = Counter(o.lead_id for o in offers if o.state in (OfferState.REDEEMED, OfferState.DISPOSED))
        for lead_id in {offer.lead_id for offer in offers}:
            assert (await self.desk.lead(lead_id)).attempts == redeemed[lead_id]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(steps, min_size=4, max_size=30))
@pytest.mark.parametrize("desk", ["memory"], indirect=True)
async def test_any_order_of_answers_keeps_the_books(desk: Desk, plan: list[Step]) -> None:
    fresh = type(desk)(type(desk.store)())  # type: ignore[call-arg]
    await fresh.publish()
    await fresh.add("A,A,+12125550101,+12125550111,0.9,cold,\nB,B,+12125550102,,0.8,cold,")
    world = World(fresh)
    await world.play(Step(what="demand", offer=0, pick=2))
    for step in plan:
        await world.play(step)
        await world.check()
    said = [(state.lead_id, state.revision) for state in await fresh.sent(ev.LeadState)]
    assert len(said) == len(set(said))
