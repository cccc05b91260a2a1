"""The policy: overdials inside its budget, degrades when it must, in a small world over ten simulated minutes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from outdial_contracts.events import DialMode
from pacer.domain.estimates import Answers, Duration
from pacer.domain.inputs import Decision
from pacer.domain.policy import Outlook, affordable_risk, overdial

from .world import World, document


def dials(world: World) -> list[DialMode]:
    return [d.dial_mode for _, item in world.log if isinstance(item, Decision) for d in item.dials]


@pytest.mark.parametrize(
    ("share", "overdials"),
    [
        pytest.param(lambda t: 0.30, 1.2, id="thirty-percent"),
        pytest.param(lambda t: 0.10 if t < 300 else 0.50, 1.2, id="jumps-from-10-to-50"),
    ],
)
def test_twenty_agents_are_kept_busy_inside_the_drop_budget(share: Callable[[float], float], overdials: float) -> None:
    world = World(seed=7, agents=20, human_share=share)
    world.run(600)
    assert world.utilisation() > 0.6
    assert world.lines_per_agent() > overdials
    assert world.abandoned <= 0.03 * (world.humans + 100)
    budget = world.state.budgets["S1/T1"]
    # Whoever still waits or hears the message at the end is not counted yet.
    assert abs(budget.humans - world.humans) <= 2
    assert abs(budget.abandoned - world.abandoned) <= 2


def test_progressive_abandons_nobody_and_reserves_an_agent_for_every_call() -> None:
    world = World(seed=3, agents=10, doc=document(mode=DialMode.PROGRESSIVE))
    world.run(200)
    assert world.connected > 30
    assert world.abandoned == 0
    assert all(d.agent_id for _, item in world.log if isinstance(item, Decision) for d in item.dials)


def test_a_small_team_degrades_to_progressive() -> None:
    world = World(seed=3, agents=4)
    world.run(60)
    assert set(dials(world)) == {DialMode.PROGRESSIVE}
    assert world.abandoned == 0


def test_a_spent_budget_degrades_to_progressive_at_once() -> None:
    world = World(seed=3, agents=10, doc=document(abandon_limit=0.0))
    world.run(60)
    assert set(dials(world)) == {DialMode.PROGRESSIVE}
    assert world.abandoned == 0


def test_lines_per_agent_never_pass_the_campaigns_cap() -> None:
    world = World(seed=5, agents=10, human_share=lambda t: 0.02, doc=document(max_lines_per_agent=2.0))
    world.run(120)
    assert 1.0 < world.most_lines / world.agents <= 2.0


def test_risk_grows_with_calls_and_falls_with_agents() -> None:
    view = Outlook(free=3, asking_mean=2.0, freeing_mean=1.0, variance=1.5, share=0.3)
    risks = [view.risk(calls) for calls in range(1, 12)]
    assert risks == sorted(risks)
    more = Outlook(free=5, asking_mean=2.0, freeing_mean=1.0, variance=1.5, share=0.3)
    assert all(more.risk(calls) < view.risk(calls) for calls in range(1, 12))


@pytest.mark.parametrize(
    ("free", "asking", "share", "at_most"),
    [(0, 0.0, 0.3, 0), (1, 0.0, 1.0, 1), (4, 0.0, 1.0, 4), (1, 1.0, 1.0, 0), (10, 0.0, 0.3, 30)],
)
def test_certain_answers_get_one_agent_each(free: int, asking: float, share: float, at_most: int) -> None:
    view = Outlook(free=free, asking_mean=asking, freeing_mean=0.0, variance=0.0, share=share)
    calls = overdial(view, 0.03, 50)
    assert calls <= at_most
    assert calls >= min(free - int(asking), at_most)


@pytest.mark.parametrize(("left", "risk"), [(0.5, 0.0), (1.0, 0.0), (2.5, 0.03), (100.0, 0.075)])
def test_affordable_risk_follows_what_is_left_of_the_budget(left: float, risk: float) -> None:
    assert affordable_risk(left, 0.03) == pytest.approx(risk)


def test_a_call_that_still_rings_late_is_rarely_a_person() -> None:
    answers = Answers()
    for _ in range(100):
        answers.observe(True, 5.0)
        answers.observe(False, 18.0)
    assert answers.share == pytest.approx(0.5, abs=0.05)
    assert answers.share_at_age(3.0) > 0.4
    assert answers.share_at_age(10.0) < 0.1


def test_talk_times_are_learnt_and_conditional_on_how_long_they_last() -> None:
    talk = Duration(prior_seconds=30.0)
    for seconds in (16.0, 18.0, 20.0, 22.0, 24.0) * 20:
        talk.observe(seconds)
    assert talk.mean_seconds == pytest.approx(20.0, abs=2.0)
    assert talk.ends_within(5.0, 1.0) < 0.05
    assert talk.ends_within(5.0, 19.0) > 0.6
    assert talk.ends_within(0.0, 19.0) == 0.0
