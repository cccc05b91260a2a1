"""The suite of ports.Trunks on the world's carrier, and on the real SIP adapter against a scripted called side."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from outdial_world.history import Invite
from outdial_world.ports.air import Air
from outdial_world.ports.callees import Behaviour, CalleePlan, draw_plan
from outdial_world.ports.carrier import Carrier
from outdial_world.ports.line import CarrierEnd

from media_gateway.adapters.sip_lines import SipTrunks
from media_gateway.adapters.sip_udp import bind_udp, serve_sip_udp
from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.endpoint import Endpoint
from media_gateway.sip.timers import Timing

from .called_side import ScriptedUas, WorldCalled
from .trunk_suite import Carriage, TrunksSuite, until

START = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)


class WorldCarriage(Carriage):
    """The fake; its called sides are scripted as those of the real one."""

    def __init__(self) -> None:
        self.plan = draw_plan(random.Random(1), {Behaviour.HUMAN: 1.0})
        self._calls: dict[str, WorldCalled] = {}
        numbers = itertools.count()
        self.carrier = Carrier(
            Air(),
            plan_of=lambda call_id, number: self.plan,
            persons={},
            now=lambda: START + timedelta(seconds=asyncio.get_running_loop().time()),
            next_seq=lambda: next(numbers),
            behind=self._behind,
        )
        self.trunks = self.world_trunks = self.carrier.trunks(gateway="media-gateway-0", boot_id="b1")

    def called(self, call_id: str) -> WorldCalled | None:
        return self._calls.get(call_id)

    def stop_ears(self) -> None:
        self.plan = replace(self.plan, honours_cancel=False)

    def break_socket(self) -> None:
        self.world_trunks.refuses = True

    def _behind(self, end: CarrierEnd, invite: Invite, plan: CalleePlan, ear: tuple[str, int]) -> None:
        self._calls[invite.call_id] = WorldCalled(end)


class SipCarriage(Carriage):
    """The real adapter over UDP on loopback, with T1 of 20 ms so that time-outs are short."""

    def __init__(self, uas: ScriptedUas, trunks: SipTrunks) -> None:
        self.trunks, self.port, self._uas = trunks, uas.port, uas

    def called(self, call_id: str) -> Any:
        return self._uas.calls.get(call_id)

    def stop_ears(self) -> None:
        self._uas.deaf = True

    def break_socket(self) -> None:
        self.port = 0


@pytest.mark.looptime
class TestWorldTrunks(TrunksSuite):
    @pytest.fixture
    async def carriage(self) -> Carriage:
        return WorldCarriage()

    async def test_every_new_call_id_is_written_down(self, carriage: WorldCarriage) -> None:
        await carriage.place("a.1@h")
        await carriage.place("b.2@h")
        first, second = carriage.carrier.invites
        assert (first.attempt_id, first.leg_no, second.attempt_id, second.leg_no) == ("a", 1, "b", 2)
        assert first.seq < second.seq

    async def test_dead_gateway_is_told_nothing_and_says_nothing(self, carriage: WorldCarriage) -> None:
        placed, called = await self.talking(carriage)
        before = len(placed.events)
        carriage.world_trunks.die()
        placed.line.hang_up()
        called.hang_up()
        await asyncio.sleep(60)
        assert len(placed.events) == before
        assert "BYE" not in called.seen
        [invite] = carriage.carrier.invites
        assert invite.orphaned_at is not None
        with pytest.raises(OSError, match="refused"):
            carriage.send("b.1@h")
        assert len(carriage.carrier.invites) == 1

    async def test_gateway_that_dies_while_it_rings_leaves_a_phone_ringing(self) -> None:
        carriage = WorldCarriage()
        carrier = Carrier(
            Air(),
            plan_of=lambda call_id, number: replace(carriage.plan, early=(), ring_seconds=10.0),
            persons={},
            now=lambda: START + timedelta(seconds=asyncio.get_running_loop().time()),
            next_seq=lambda: 0,
        )
        trunks = carriage.trunks = carrier.trunks(gateway="g", boot_id="b")
        carriage.send()
        [invite] = carrier.invites
        await until(lambda: invite.rang_at is not None)
        trunks.die()
        await until(lambda: invite.end == "no_ack")
        assert invite.answered_at is not None
        assert invite.cancelled_at is None


@pytest.mark.slow
class TestSipTrunks(TrunksSuite):
    @pytest.fixture
    async def carriage(self) -> AsyncIterator[Carriage]:
        loop = asyncio.get_running_loop()
        _, uas = await loop.create_datagram_endpoint(ScriptedUas, local_addr=("127.0.0.1", 0))
        tokens = (f"token{number}" for number in itertools.count())
        trunks, udp = SipTrunks("127.0.0.1", {}, lambda: 1), bind_udp(("127.0.0.1", 0))
        identity = LocalIdentity(
            host="127.0.0.1", port=udp.getsockname()[1], user_agent="t", new_token=lambda: next(tokens)
        )
        endpoint = Endpoint(identity=identity, timing=Timing(t1_seconds=0.02))
        trunks.sip = await serve_sip_udp(endpoint, udp, on_event=trunks.dispatch)
        yield SipCarriage(uas, trunks)
        await trunks.sip.close()
        uas.close()
        await asyncio.sleep(0)
