"""why: every state in which a campaign does not dial has a name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from outdial_contracts.events import (
    AgentAvailability,
    BlockReason,
    CampaignState,
    ComplianceBlocked,
    DialMode,
    PacingSupply,
    StopChanged,
    SupplyReason,
)
from pacer.domain.bindings import SENTENCES, Binding
from pacer.domain.decide import decide
from pacer.domain.fold import fold
from pacer.domain.inputs import Input, Tick
from pacer.domain.state import TeamState
from pacer.domain.step import step
from pacer.domain.why import figures, why

from .world import World, agent_leg, agent_state, at, capacity, cleared, document, ids, published

RUNNING = published(None, CampaignState.RUNNING)
GATEWAY = capacity(at(0))
AGENTS = [
    item
    for n in range(6)
    for item in (agent_leg(f"a{n}", at(0)), agent_state(f"a{n}", AgentAvailability.AVAILABLE, at(0)))
]


def supply(reason: SupplyReason, sent: int = 0) -> PacingSupply:
    return PacingSupply(
        team_id="blue", campaign_id="C1", epoch=0, sent_total=sent, reason=reason, supplied_at=at(1), next_due_at=None
    )


def blocked(reason: BlockReason) -> ComplianceBlocked:
    return ComplianceBlocked(**ids("b"), epoch=0, rule_pack="1", blocked_at=at(1), reasons=(reason,))


def folded(items: list[Input]) -> TeamState:
    state = TeamState(team_id="blue", epoch=0)
    for item in items:
        fold(state, item, state.next_at(at(0)))
    return state


def asked(items: list[Input], seconds: float) -> dict[str, Any]:
    state = folded(items)
    step(state, Tick(), None, at(0.5))
    return why(state, "C1", at(seconds))


BASE: list[Input] = [published(document()), RUNNING, GATEWAY, *AGENTS]


@pytest.mark.parametrize(
    ("binding", "items", "seconds"),
    [
        (Binding.CAMPAIGN_UNKNOWN, [], 1.0),
        (Binding.PAUSED, [published(document()), published(None, CampaignState.PAUSED), GATEWAY, *AGENTS], 1.0),
        (Binding.STOPPED, [published(document()), published(None, CampaignState.STOPPED), GATEWAY, *AGENTS], 1.0),
        (
            Binding.STOP_BUTTON,
            [*BASE, StopChanged(scope="all", stopped=True, reason="r", changed_at=at(0), changed_by="o")],
            1.0,
        ),
        (Binding.MODE_NOT_SERVED, [published(document(mode=DialMode.PREVIEW)), RUNNING, GATEWAY, *AGENTS], 1.0),
        (Binding.NO_AGENTS, [published(document()), RUNNING, GATEWAY], 1.0),
        (Binding.NO_LEADS, [*BASE, supply(SupplyReason.NO_LEADS)], 1.0),
        (Binding.LEADS_NOT_DUE, [*BASE, supply(SupplyReason.NOT_DUE)], 1.0),
        (Binding.OUTSIDE_HOURS, [*BASE, blocked(BlockReason.HOURS)], 1.0),
        (Binding.RULES, [*BASE, blocked(BlockReason.DNC_LISTED)], 1.0),
        (Binding.GATE_AWAY, [*BASE, supply(SupplyReason.SATISFIED, sent=5)], 9.0),
        (Binding.SUPPLY_AWAY, BASE, 9.0),
        (Binding.GATEWAY_AWAY, [published(document()), RUNNING, *AGENTS, cleared("x", at(0))], 1.0),
        (
            Binding.CHANNELS,
            [published(document()), RUNNING, capacity(at(0), free=0), *AGENTS, cleared("x", at(0))],
            1.0,
        ),
        (
            Binding.NUMBER_POOL,
            [published(document(caller_ids=())), RUNNING, GATEWAY, *AGENTS, cleared("x", at(0))],
            1.0,
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, Binding) else "",
)
def test_the_binding_constraint_is_named(binding: Binding, items: list[Input], seconds: float) -> None:
    answer = asked(items, seconds)
    assert answer["binding"] == binding.value
    assert answer["sentence"] == SENTENCES[binding]


def test_number_that_a_clearance_does_not_admit_is_never_chosen_and_holds_nobody_up() -> None:
    offers = [
        cleared("barred", at(0), score=0.9, caller_id_prefixes=("+33162",)),
        cleared("bound", at(0), score=0.5, caller_id_prefixes=("+1312",)),
        cleared("free", at(0), score=0.4),
    ]
    state = folded([*BASE, *offers])
    decision = decide(state, at(1.0))
    numbers = {dial.attempt_id: dial.caller_id for dial in decision.dials}
    assert numbers["bound"] == "+13125550102"
    assert "free" in numbers
    assert "barred" not in numbers
    assert "barred" in decide(state, offers[0].expires_at - timedelta(seconds=1)).returned


def test_a_running_campaign_is_dialing_and_a_spent_budget_says_so() -> None:
    world = World(seed=1, agents=10)
    world.run(60)
    assert why(world.state, "C1", at(60.0))["binding"] in ("DIALING", "AGENTS_BUSY")
    world.state.budgets["S1/T1"].abandoned = 100
    answer = why(world.state, "C1", at(60.0))
    assert answer["facts"]["degraded"] == "ABANDON_BUDGET"
    assert answer["facts"]["budget_left_calls"] < 0


def test_a_teams_figures_are_those_of_the_world() -> None:
    world = World(seed=1, agents=10)
    world.run(200)
    shown = figures(world.state)
    assert sum(shown["agents"].values()) == 10
    assert shown["lines_per_agent"] == pytest.approx(world.lines_per_agent(), rel=0.05)
    assert shown["utilisation"] == pytest.approx(world.utilisation(), rel=0.1)
    assert shown["drop_rate"] == pytest.approx(shown["abandoned"] / shown["humans"], abs=1e-4)


def test_every_binding_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Binding)
