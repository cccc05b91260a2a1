"""What a gateway refuses before it asks the gate, and how it shares calls over trunks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.domain.admission import Claims, Limits, TrunkLoad, choose_trunk, is_usable, refusal_of
from media_gateway.domain.agent_legs import AgentLeg, AgentLegs
from media_gateway.domain.call_states import CallMove, CallState, ImpossibleMove, move
from outdial_contracts.events import (
    CallDial,
    CallMode,
    Context,
    DialMode,
    DialRefusal,
    Route,
    Segment,
    Transport,
    Trunk,
)

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
TRUNK = Trunk(
    trunk_id="a", host="127.0.0.1", port=5080, transport=Transport.UDP, weight=1, calls_per_second=1000, channels=1000
)
ROUTE = Route(route_id="r", trunks=(TRUNK,), countries=("US",), number_classes=("geographic",), max_duration_seconds=60)
LIMITS = Limits(now=NOW, draining=False, free_channels=1, shifted_clock=True, owner_epoch=42)
CLAIMS = Claims(
    attempt_id="attempt",
    country="US",
    number_class="geographic",
    modes=frozenset({"LIVE_AUTODIALED"}),
    agent_guaranteed=False,
    expires_at=NOW + timedelta(seconds=1),
)
DIAL = CallDial(
    attempt_id="attempt",
    team_id="blue",
    campaign_id="c",
    campaign_version=1,
    context=Context(lead_id="l", attempt_no=1, segment=Segment.COLD, score_band="0.4-0.6"),
    gateway_id="g",
    gateway_partition=0,
    token="t",
    mode=CallMode.LIVE_AUTODIALED,
    dial_mode=DialMode.PREDICTIVE,
    caller_id="+12125550101",
    route_id="r",
    person_token="p",
    callee_token="n",
    destination_prefix="+1212",
    ring_timeout_seconds=18,
    safe_harbour="s.wav",
    seller_id="S1",
    lease_id="x",
    owner_epoch=42,
    owner_address="127.0.0.1:1",
    decided_at=NOW,
    expires_at=NOW + timedelta(seconds=1),
)


def test_dial_within_every_limit_is_admitted() -> None:
    assert refusal_of(DIAL, CLAIMS, ROUTE, LIMITS) is None


def _with_host(host: str) -> Route:
    return replace(ROUTE, trunks=(replace(TRUNK, host=host),))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"limits": replace(LIMITS, draining=True)}, DialRefusal.DRAINING),
        ({"limits": replace(LIMITS, owner_epoch=43)}, DialRefusal.STALE_OWNER),
        ({"dial": replace(DIAL, expires_at=NOW)}, DialRefusal.EXPIRED),
        ({"claims": replace(CLAIMS, expires_at=NOW)}, DialRefusal.EXPIRED),
        ({"claims": None}, DialRefusal.BAD_CLEARANCE),
        ({"claims": replace(CLAIMS, attempt_id="another")}, DialRefusal.BAD_CLEARANCE),
        ({"dial": replace(DIAL, mode=CallMode.PRERECORDED)}, DialRefusal.MODE),
        ({"claims": replace(CLAIMS, agent_guaranteed=True)}, DialRefusal.MODE),
        ({"route": None}, DialRefusal.NO_ROUTE),
        ({"route": replace(ROUTE, trunks=())}, DialRefusal.NO_ROUTE),
        ({"route": _with_host("carrier.example")}, DialRefusal.NO_ROUTE),
        ({"route": replace(ROUTE, trunks=(replace(TRUNK, transport=Transport.TLS),))}, DialRefusal.NO_ROUTE),
        ({"claims": replace(CLAIMS, country="CU")}, DialRefusal.POLICY),
        ({"claims": replace(CLAIMS, number_class="premium")}, DialRefusal.POLICY),
        ({"limits": replace(LIMITS, owned_caller_ids=frozenset({"+1"}))}, DialRefusal.POLICY),
        ({"route": _with_host("203.0.113.9")}, DialRefusal.SHIFTED_CLOCK),
        ({"route": _with_host("128.0.0.1")}, DialRefusal.SHIFTED_CLOCK),
        ({"limits": replace(LIMITS, free_channels=0)}, DialRefusal.CAPACITY),
    ],
)
def test_each_limit_refuses_with_its_own_reason(changes: dict[str, Any], reason: DialRefusal) -> None:
    arguments: dict[str, Any] = {"dial": DIAL, "claims": CLAIMS, "route": ROUTE, "limits": LIMITS} | changes
    assert refusal_of(**arguments) is reason


def test_real_time_may_call_a_real_carrier() -> None:
    assert refusal_of(DIAL, CLAIMS, _with_host("203.0.113.9"), replace(LIMITS, shifted_clock=False)) is None


def test_trunk_of_weight_0_takes_no_call() -> None:
    assert not is_usable(replace(TRUNK, weight=0))
    assert is_usable(TRUNK)


@given(
    st.floats(0.2, 60),
    st.lists(st.floats(0, 0.4, allow_nan=False), min_size=1, max_size=300),
)
def test_no_second_sees_more_than_a_fifth_above_the_trunks_rate(rate: float, gaps: list[float]) -> None:
    load, now, taken = TrunkLoad(), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if load.take(replace(TRUNK, calls_per_second=rate), now):
            taken.append(now)
    for start in taken:
        assert sum(start <= t < start + 1.0 for t in taken) <= max(1.0, rate * 0.2) + rate + 1e-6


def test_trunk_gets_its_whole_rate_when_asked_often_enough() -> None:
    load = TrunkLoad()
    taken = sum(load.take(replace(TRUNK, calls_per_second=20), n * 0.01) for n in range(1000))
    assert 199 <= taken <= 205


def test_short_calls_are_shared_by_weight_as_long_ones_are() -> None:
    route = replace(ROUTE, trunks=(replace(TRUNK, trunk_id="a", weight=3), replace(TRUNK, trunk_id="b", weight=1)))
    loads = {"a": TrunkLoad(), "b": TrunkLoad()}
    chosen: Counter[str] = Counter()
    for n in range(400):
        trunk, _ = choose_trunk(route, loads, n * 0.1)
        assert trunk is not None
        chosen[trunk.trunk_id] += 1
        loads[trunk.trunk_id].live += 1
        if n % 8 == 7:
            loads["a"].live = loads["b"].live = 0
    assert chosen == {"a": 300, "b": 100}


def test_full_or_hurried_trunk_yields_to_the_next_and_is_named_when_it_is_the_last() -> None:
    full, slow = replace(TRUNK, channels=0), replace(TRUNK, trunk_id="b", calls_per_second=1)
    loads = {"a": TrunkLoad(), "b": TrunkLoad()}
    assert choose_trunk(replace(ROUTE, trunks=(full, slow)), loads, 0.0)[0] == slow
    assert choose_trunk(replace(ROUTE, trunks=(full, slow)), loads, 0.0) == (None, DialRefusal.CPS)
    assert choose_trunk(replace(ROUTE, trunks=(full,)), loads, 0.0) == (None, DialRefusal.CAPACITY)


def test_absent_cell_names_state_and_move() -> None:
    with pytest.raises(ImpossibleMove, match=r"ended.*answered"):
        move(CallState.ENDED, CallMove.ANSWERED)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.booleans()), max_size=20))
def test_leg_is_never_given_to_two_attempts(steps: list[tuple[str, int, bool]]) -> None:
    legs = AgentLegs()
    legs.up(AgentLeg(leg_id="l", team_id="blue", agent_id="1"))
    holder, newest = None, 0
    for attempt, epoch, release in steps:
        if release:
            legs.release("l", attempt)
            holder = None if holder == attempt else holder
            continue
        refused = legs.claim("l", attempt, epoch)
        assert (refused is None) == (epoch >= newest and holder in (None, attempt))
        if refused is None:
            holder, newest = attempt, epoch
