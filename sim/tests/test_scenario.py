"""scenario.yaml: what is accepted, what is refused and how it is said."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from outdial_sim.callees import draw, kind_of, plan_of
from outdial_sim.fields import ScenarioError
from outdial_sim.scenario import Deed, Kind, Scenario, load, parse

TEXT = """
schema: 1
seed: 7
clock_start: 2026-11-17T15:00:00Z
agents: {count: 20, login_spread_seconds: 3, talk_mean_seconds: 20, talk_cv: 0.6, wrap_mean_seconds: 3}
carrier: {pdd_ms: [200, 600], digest: true, loss: 0.0}
callees:
  mix: {human: .30, voicemail: .25, no_answer: .20, busy: .08, sit: .05, not_found: .04, unavailable: .03,
        dead_air: .03, hangup: .02}
  ring_seconds: {human: [1, 5], voicemail: [2, 4]}
  by_number: {"+12125550123": voicemail}
events: [{at_seconds: 30, do: opt_out, of: queued},
         {at_seconds: 40, do: kill, service: compliance-gate, for_seconds: 5}]
"""
SCENARIOS = Path(__file__).parent.parent / "scenarios"
NUMBERS = [f"+1212555{place:04d}" for place in range(3000)]


def scenario() -> Scenario:
    """The example of the formats document."""
    return parse(yaml.safe_load(TEXT))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The example with one value changed."""
    document: dict[str, Any] = yaml.safe_load(TEXT)
    *parents, last = path.split(".")
    place: Any = document
    for parent in parents:
        place = place[int(parent)] if isinstance(place, list) else place[parent]
    place[last] = value
    return document


def test_the_example_of_the_formats_document_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(TEXT)
    world = load(file)
    assert world.clock_start == datetime(2026, 11, 17, 15, tzinfo=UTC)
    assert world.carrier.pdd_ms.high == 600
    assert [event.do for event in world.events] == [Deed.OPT_OUT, Deed.KILL]
    assert world.events[1].service == "compliance-gate"


@pytest.mark.parametrize(
    "path, value, field",
    [
        ("colour", 1, "scenario.colour"),
        ("schema", 2, "scenario.schema"),
        ("seed", "x", "scenario.seed"),
        ("clock_start", "tomorrow", "scenario.clock_start"),
        ("agents.talk_cvv", 1, "agents.talk_cvv"),
        ("agents.count", True, "agents.count"),
        ("carrier.loss", 1.5, "carrier.loss"),
        ("carrier.digest", "yes", "carrier.digest"),
        ("carrier.pdd_ms", [600, 200], "carrier.pdd_ms"),
        ("callees.mix.human", 0.9, "callees.mix"),
        ("callees.mix.martian", 0.0, "callees.mix.martian"),
        ("callees.ring_seconds.human", [1], "callees.ring_seconds.human"),
        ("events.0.do", "dance", "events[0].do"),
        ("events.0.service", "pacer", "events[0].service"),
        ("events.1.for_seconds", -1, "events[1].for_seconds"),
    ],
)
def test_an_error_names_the_field_and_the_rule(path: str, value: Any, field: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(changed(path, value))
    assert caught.value.field == field
    assert caught.value.rule


def test_an_error_about_a_number_does_not_show_the_number() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(changed("callees.by_number", {"+12125550123": "alien"}))
    assert "2125550123" not in str(caught.value)


def test_the_kind_of_a_number_does_not_depend_on_the_order_of_calls() -> None:
    world = scenario()
    forward = {number: plan_of(world, number) for number in NUMBERS[:200]}
    backward = {number: plan_of(world, number) for number in reversed(NUMBERS[:200])}
    assert forward == backward


@pytest.mark.parametrize("file", sorted(SCENARIOS.glob("*.yaml")), ids=lambda file: str(file.stem))
def test_every_committed_scenario_loads(file: Path) -> None:
    assert load(file).agents.count >= 1


def test_by_number_wins_over_the_mix() -> None:
    world = scenario()
    assert kind_of(world.callees, world.seed, "+12125550123") is Kind.VOICEMAIL


def test_draws_are_pinned_so_that_a_stranger_can_recompute_them() -> None:
    # sha256("7:+12125550100"), first 8 bytes over 2**64
    assert draw(7, "+12125550100") == pytest.approx(0.6806732557606234)
    assert draw(7, "+12125550100") != draw(7, "+12125550100", "pdd")


def test_the_mix_is_met_and_another_seed_deals_anew() -> None:
    world = scenario()
    kinds = [kind_of(world.callees, world.seed, number) for number in NUMBERS]
    for kind, share in world.callees.mix.items():
        assert kinds.count(kind) / len(kinds) == pytest.approx(share, abs=0.03)
    others = [kind_of(world.callees, 8, number) for number in NUMBERS]
    assert kinds != others


def test_delays_before_the_answer_are_drawn_alike_for_every_kind() -> None:
    world = scenario()
    plans = [plan_of(world, number) for number in NUMBERS]
    means = {}
    for kind in (Kind.HUMAN, Kind.VOICEMAIL, Kind.NO_ANSWER):
        some = [plan for plan in plans if plan.kind is kind]
        early = sum(plan.early_media for plan in some) / len(some)
        delay = sum(plan.pdd_seconds for plan in some) / len(some)
        means[kind] = (early, delay)
    for early, delay in means.values():
        assert early == pytest.approx(0.25, abs=0.06)
        assert delay == pytest.approx(0.4, abs=0.02)
