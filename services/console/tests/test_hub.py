"""One heart for all viewers: whoever looks costs the pacer nothing more, and nobody is told an old state twice."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from console.domain.board import Board
from console.domain.sources import Source
from console.handlers.hub import Hub
from outdial_testing import VirtualClock

PATIENCE_SECONDS = 10.0


async def test_ten_viewers_ask_the_pacer_no_more_often_than_one(office: Any, published: Any) -> None:
    hub = Hub(Board(), office.sources, VirtualClock())
    hub.board.campaign_published(published)
    async with hub.running():
        viewers = [hub.states() for _ in range(10)]
        for _ in range(2):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(anext(viewer) for viewer in viewers))
        asked = office.sources.asked.count("/v1/why/spring-renewal")
        assert 1 <= asked <= 3
        for viewer in viewers:
            await viewer.aclose()


async def test_a_viewer_gets_the_state_at_once_and_again_when_it_changed(office: Any, published: Any) -> None:
    hub = Hub(Board(), office.sources, VirtualClock())
    async with hub.running():
        viewer = hub.states()
        assert json.loads(await anext(viewer))["campaigns"] == []
        hub.board.campaign_published(published)
        hub.touch()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not json.loads(await anext(viewer))["campaigns"]:
                pass
        await viewer.aclose()


async def test_a_pacer_that_is_away_stops_neither_the_hub_nor_its_heartbeat(office: Any, published: Any) -> None:
    office.sources.away = {Source.PACER, Source.ANALYTICS}
    hub = Hub(Board(), office.sources, VirtualClock())
    hub.board.campaign_published(published)
    async with hub.running():
        viewer = hub.states()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (state := json.loads(await anext(viewer)))["campaigns"][0]["sources"]["pacer"]["away"]:
                pass
        assert state["campaigns"][0]["health"]["sentence"] == "pacer does not answer."
        await viewer.aclose()


@pytest.mark.parametrize("nonsense", [[], "x", {"facts": "x"}])
async def test_an_answer_in_another_shape_is_named_and_ends_nothing(office: Any, published: Any, nonsense: Any) -> None:
    office.sources.answers[(Source.PACER, "/v1/why/spring-renewal")] = nonsense
    hub = Hub(Board(), office.sources, VirtualClock())
    hub.board.campaign_published(published)
    async with hub.running():
        viewer = hub.states()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (state := json.loads(await anext(viewer)))["campaigns"][0]["sources"]["pacer"]["away"]:
                pass
        assert "shape" in state["campaigns"][0]["health"]["sentence"]
        await viewer.aclose()


async def test_a_fault_of_the_hub_ends_the_service_instead_of_a_silent_board(office: Any, published: Any) -> None:
    class Broken(type(office.sources)):  # type: ignore[misc]
        async def get(self, *asked: Any) -> Any:
            raise ZeroDivisionError

    hub = Hub(Board(), Broken(), VirtualClock())
    hub.board.campaign_published(published)
    with pytest.raises(ExceptionGroup):
        async with hub.running():
            await asyncio.sleep(PATIENCE_SECONDS)
