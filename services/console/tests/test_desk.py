"""From assignment to wrap-up an agent is not available, whatever the heartbeats say; screens hear it in order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.desk import Desk
from console.handlers.agents import LONGEST_POLL_SECONDS, STATES
from outdial_contracts.events import AgentAvailability
from outdial_runtime.outcome import NOTHING, Drop

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)


async def wrap_up(office: Any, code: str = "INTERESTED", attempt_id: str = "") -> Any:
    return await office.agent("wrap-up", {"attempt_id": attempt_id or office.call, "code": code, "callback_at": None})


async def bridged_call(office: Any) -> None:
    await office.sign_in()
    await office.leg()
    await office.say("available")
    await office.progress("ASSIGNED")
    await office.progress("BRIDGED")


async def test_an_assignment_takes_the_agent_at_once(office: Any) -> None:
    await office.sign_in()
    await office.say("available")
    await office.progress("ASSIGNED")
    state = office.published[-1]
    assert (state.availability, state.last_assignment_seen) == ("WRAPUP", f"lease-{office.call}")
    assert (state.valid_until - state.at).total_seconds() == 10.0


async def test_two_words_of_one_instant_are_two_events(office: Any) -> None:
    await office.sign_in()
    await office.say("available")
    await office.say("paused")
    await office.say("paused")
    assert office.causes[-3] != office.causes[-2] == office.causes[-1]


@given(st.lists(st.sampled_from(sorted(STATES)), min_size=1, max_size=8))
def test_no_heartbeat_frees_an_agent_who_owes_a_wrap_up(states: list[str]) -> None:
    desk = Desk(agent_id="a1", team_id="blue", campaign_ids=())
    desk.assigned("x", "c1", "lease", NOW)
    desk.bridged("x", NOW)
    for state in states:
        desk.says(STATES[state], None, NOW + timedelta(hours=1))
        assert desk.availability is AgentAvailability.WRAPUP
    desk.wrapped_up("x")
    assert desk.availability is STATES[states[-1]]


async def test_wrap_up_frees_the_agent_by_his_next_heartbeat(office: Any) -> None:
    await bridged_call(office)
    await office.ended()
    assert (await office.say("available")).availability == "WRAPUP"
    assert (await wrap_up(office)).status == 204
    state = await office.say("available")
    assert (state.availability, state.last_assignment_seen) == ("AVAILABLE", f"lease-{office.call}")


async def test_another_calls_wrap_up_frees_nobody(office: Any) -> None:
    await bridged_call(office)
    assert (await wrap_up(office, attempt_id=office.next_call)).status == 204
    assert (await office.say("available")).availability == "WRAPUP"


@pytest.mark.parametrize("stage", ["ASSIGNED", "BRIDGED"])
async def test_a_repeated_stage_takes_nobody_again(office: Any, stage: str) -> None:
    await bridged_call(office)
    await wrap_up(office)
    assert await office.progress(stage) == NOTHING
    assert (await office.say("available")).availability == "AVAILABLE"
    assert await office.shown() == ["leg_up", "assigned", "bridged"]


async def test_a_call_that_was_never_bridged_needs_no_wrap_up(office: Any) -> None:
    await office.sign_in()
    await office.progress("ASSIGNED")
    await office.ended(bridged=False)
    assert (await office.say("available")).availability == "AVAILABLE"
    assert await office.shown() == ["assigned", "call_ended"]


async def test_an_assignment_that_nothing_follows_holds_nobody_for_ever(office: Any) -> None:
    await office.sign_in()
    await office.progress("ASSIGNED")
    office.wait(9.0)
    assert (await office.say("available")).availability == "WRAPUP"
    office.wait(2.0)
    assert (await office.say("available")).availability == "AVAILABLE"


async def test_the_end_that_overtakes_the_bridge_tells_all_in_order(office: Any) -> None:
    await office.sign_in()
    await office.ended()
    await office.progress("ASSIGNED")
    await office.progress("BRIDGED")
    assert await office.shown() == ["assigned", "bridged", "call_ended"]
    first, second, third = (event["seq"] for event in await office.screen())
    assert first < second < third, "also within one instant: a poll after one must bring the next"
    assert (await office.say("available")).availability == "WRAPUP"


async def test_a_lost_leg_ends_the_call_on_the_screen_once(office: Any) -> None:
    await bridged_call(office)
    await office.leg(up=False)
    await office.ended()
    assert await office.shown() == ["leg_up", "assigned", "bridged", "call_ended", "leg_down"]
    assert (await office.say("available")).availability == "WRAPUP"


async def test_a_new_leg_ends_the_call_of_the_old_one(office: Any) -> None:
    await bridged_call(office)
    await office.leg(leg_id="leg-2", address="127.0.0.1:7001")
    await office.leg(up=False, leg_id="leg-1")
    assert (await office.shown())[-2:] == ["call_ended", "leg_up"]
    office.gateway.calls.add(office.call)
    assert (await office.agent("hang-up", {"attempt_id": office.call})).status == 204
    assert office.gateway.asked == [("127.0.0.1:7001", office.call, "a1")]


async def test_repeated_leg_up_tells_nothing_new(office: Any) -> None:
    await office.sign_in()
    await office.leg()
    await office.leg()
    assert await office.shown() == ["leg_up"]


async def test_hang_up_says_why_it_could_not(office: Any) -> None:
    await office.sign_in()
    body = {"attempt_id": office.call}
    assert (await office.agent("hang-up", body)).status == 409, "no leg"
    await office.leg()
    assert (await office.agent("hang-up", body)).status == 404, "no call"
    office.gateway.away = True
    assert (await office.agent("hang-up", body)).status == 409, "no gateway"


async def test_stages_of_no_agent_are_dropped(office: Any) -> None:
    await office.sign_in()
    assert await office.progress("VERDICT", agent_id=None) == Drop("NOT_FOR_SCREENS")
    assert await office.progress("ASSIGNED", agent_id="a9") == Drop("NOT_AT_A_DESK")
    assert await office.shown() == []


async def test_long_poll_returns_at_once_on_an_event(office: Any) -> None:
    await office.sign_in()
    polling = asyncio.create_task(office.screen(wait_seconds=LONGEST_POLL_SECONDS))
    await asyncio.sleep(0.01)
    assert not polling.done()
    await office.progress("ASSIGNED")
    async with asyncio.timeout(2.0):
        events = await polling
    assert [(e["type"], e["attempt_id"], e["campaign_id"]) for e in events] == [("assigned", office.call, "c1")]


async def test_long_poll_is_empty_at_its_time_out_and_after_the_last_event(office: Any) -> None:
    await office.sign_in()
    assert await office.screen(wait_seconds=0.01) == []
    await office.leg()
    [leg_up] = await office.screen()
    assert await office.screen(after=leg_up["seq"], wait_seconds=0.01) == []


@pytest.mark.parametrize("query", [{"after": "x"}, {"wait_seconds": "nan"}, {"wait_seconds": "-1"}])
async def test_a_bad_poll_is_refused(office: Any, query: dict[str, str]) -> None:
    await office.sign_in()
    assert (await office.ask("GET", "/v1/agents/a1/events", query=query)).status == 422


async def test_a_restarted_console_serves_the_token_and_seq_still_grows(office: Any) -> None:
    await bridged_call(office)
    last = (await office.screen())[-1]["seq"]
    office.restart()
    office.wait(1.0)
    assert (await office.say("wrapup")).availability == "WRAPUP"
    await office.leg()
    await office.progress("BRIDGED", office.next_call)
    events = await office.screen(after=last)
    assert [e["type"] for e in events] == ["leg_up", "assigned", "bridged"]
    assert (await office.say("available")).availability == "WRAPUP", "a bridge alone tells of the assignment too"
    assert (await wrap_up(office, attempt_id=office.next_call)).status == 204


async def test_sign_out_says_offline_and_leaves_the_desk(office: Any) -> None:
    await bridged_call(office)
    assert (await office.agent("sign-out")).status == 204
    assert office.published[-1].availability == "OFFLINE"
    assert await office.progress("ASSIGNED", office.next_call) == Drop("NOT_AT_A_DESK")


@pytest.mark.parametrize("body", [{}, {"state": "talking"}, {"state": "paused", "reason": 7}])
async def test_a_bad_state_is_refused(office: Any, body: Any) -> None:
    await office.sign_in()
    assert (await office.agent("state", body)).status == 422
