"""What every implementation of ports.Phones does: the world's handsets, and the real SIP adapter with a real phone."""

from __future__ import annotations

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from outdial_world.ports.air import Air
from outdial_world.ports.phones import Handset, WorldPhones

from media_gateway.adapters.sip_lines import SipPhones, SipTrunks, password_of
from media_gateway.adapters.sip_udp import bind_udp, serve_sip_udp
from media_gateway.ports import Phones, TrunkCall
from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.digest import Authenticator
from media_gateway.sip.endpoint import Endpoint
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import Answered, CallEvent, Connected, Ended, EndedBy, EndReason, IncomingCall
from outdial_contracts.events import Transport, Trunk

from .trunk_suite import until

LEG: Any = SimpleNamespace(local_host="127.0.0.1", local_port=41_990)


@dataclass
class Desk(ABC):
    """The port under test, and one agent's phone."""

    phones: Phones
    incoming: list[IncomingCall] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What the phone noticed: up, refused, bye."""

    @abstractmethod
    def dial(self) -> None: ...

    @abstractmethod
    def hang_up(self) -> None:
        """The phone's CANCEL or BYE."""

    async def offered(self) -> IncomingCall:
        self.dial()
        await until(lambda: bool(self.incoming))
        return self.incoming[-1]

    async def connected(self) -> tuple[TrunkCall, list[CallEvent]]:
        events: list[CallEvent] = []
        call = self.phones.accept((await self.offered()).call_id, LEG, events.append)
        assert events == []
        await until(lambda: bool(events) and "up" in self.told)
        return call, events


class PhonesSuite(ABC):
    """Inherit it and give `desk`."""

    @pytest.fixture
    @abstractmethod
    def desk(self) -> Any: ...

    async def test_phone_is_announced_by_its_account_and_with_its_sound(self, desk: Desk) -> None:
        incoming = await desk.offered()
        assert incoming.username == "blue.agent-1"
        assert incoming.sdp is not None
        assert incoming.sdp.port > 0

    async def test_accepted_phone_is_connected_once_it_has_confirmed(self, desk: Desk) -> None:
        _, events = await desk.connected()
        assert [type(event) for event in events] == [Connected]

    async def test_phone_that_hangs_up_ends_the_call(self, desk: Desk) -> None:
        call, events = await desk.connected()
        desk.hang_up()
        await until(lambda: len(events) == 2)
        ended = events[-1]
        assert isinstance(ended, Ended)
        assert (ended.by, ended.reason) == (EndedBy.REMOTE, EndReason.HUNG_UP)
        call.hang_up()
        await asyncio.sleep(0.1)
        assert len(events) == 2

    async def test_our_hang_up_is_told_at_once_and_takes_the_phone_down(self, desk: Desk) -> None:
        call, events = await desk.connected()
        call.hang_up()
        call.hang_up()
        ended = events[-1]
        assert isinstance(ended, Ended)
        assert (ended.by, ended.reason) == (EndedBy.LOCAL, EndReason.HUNG_UP)
        assert len(events) == 2
        await until(lambda: "bye" in desk.told)

    async def test_refused_phone_is_told_and_cannot_be_accepted_any_more(self, desk: Desk) -> None:
        incoming = await desk.offered()
        desk.phones.refuse(incoming.call_id, 480)
        await until(lambda: "refused:480" in desk.told)
        with pytest.raises(LocalProtocolError):
            desk.phones.accept(incoming.call_id, LEG, lambda event: None)
        desk.phones.refuse(incoming.call_id, 480)

    async def test_phone_that_withdrew_cannot_be_accepted(self, desk: Desk) -> None:
        incoming = await desk.offered()
        await asyncio.sleep(0.1)
        desk.hang_up()
        await asyncio.sleep(0.2)
        with pytest.raises(LocalProtocolError):
            desk.phones.accept(incoming.call_id, LEG, lambda event: None)

    async def test_unknown_phone_cannot_be_accepted_and_its_refusal_is_harmless(self, desk: Desk) -> None:
        with pytest.raises(LocalProtocolError):
            desk.phones.accept("nobody@nowhere", LEG, lambda event: None)
        desk.phones.refuse("nobody@nowhere", 480)


class WorldDesk(Desk):
    """The fake."""

    def __init__(self) -> None:
        self.world_phones = WorldPhones(lambda incoming: self.incoming.append(incoming))
        super().__init__(self.world_phones)
        self.handset = Handset(Air(), "blue.agent-1", self._on_leg)

    def dial(self) -> None:
        self.handset.dial(self.world_phones)

    def hang_up(self) -> None:
        self.handset.hang_up()

    def _on_leg(self, up: bool, reason: str) -> None:
        self.told.append("up" if up else reason)


@pytest.mark.looptime
class TestWorldPhones(PhonesSuite):
    @pytest.fixture
    async def desk(self) -> Desk:
        return WorldDesk()

    async def test_phone_notices_that_its_gateway_died_and_can_call_another(self, desk: WorldDesk) -> None:
        _, events = await desk.connected()
        desk.world_phones.die()
        await until(lambda: "timeout" in desk.told)
        assert len(events) == 1
        desk.phones = desk.world_phones = WorldPhones(lambda incoming: desk.incoming.append(incoming))
        desk.told.clear()
        desk.incoming.clear()
        await desk.connected()

    async def test_phone_without_power_is_silent_and_says_nothing(self, desk: WorldDesk) -> None:
        _, events = await desk.connected()
        desk.handset.vanish()
        await asyncio.sleep(60)
        assert len(events) == 1
        assert not desk.handset.up


class SipDesk(Desk):
    """The real adapter on loopback; the phone is our own SIP core in the caller's part, as baresip is in test-peers."""

    def __init__(self, phones: SipPhones, lines: SipTrunks, gateway_port: int) -> None:
        super().__init__(phones)
        self._lines, self._gateway_port = lines, gateway_port
        self._line: Any = None

    def dial(self) -> None:
        trunk = Trunk(
            trunk_id="g", host="127.0.0.1", port=self._gateway_port, transport=Transport.UDP, weight=1,
            calls_per_second=50, channels=100, username="blue.agent-1", password_env="PHONE_PASSWORD",
        )  # fmt: skip
        self._line = self._lines.place(
            call_id="phone-1@h",
            trunk=trunk,
            number="agents",
            caller_id="agent-1",
            traceparent="",
            leg=LEG,
            on_event=self._on_event,
        )

    def hang_up(self) -> None:
        self._line.hang_up()

    def _on_event(self, event: CallEvent) -> None:
        if isinstance(event, Answered):
            self.told.append("up")
        elif isinstance(event, Ended):
            self.told.append("bye" if event.reason is EndReason.HUNG_UP else f"refused:{event.status}")


@pytest.mark.slow
class TestSipPhones(PhonesSuite):
    @pytest.fixture
    async def desk(self) -> AsyncIterator[Desk]:
        password_for = password_of(b"secret")
        incoming: list[IncomingCall] = []
        phones = SipPhones(incoming.append, lambda: 1)
        lines = SipTrunks("127.0.0.1", {"PHONE_PASSWORD": password_for("blue.agent-1") or ""}, lambda: 1)
        authenticator = Authenticator(realm="outdial", key=b"k" * 32, password_of=password_for)
        phones.sip, gateway_port = await _serve(phones, authenticator)
        lines.sip, _ = await _serve(lines, None)
        desk = SipDesk(phones, lines, gateway_port)
        desk.incoming = incoming
        yield desk
        await phones.sip.close()
        await lines.sip.close()


async def _serve(lines: SipPhones | SipTrunks, authenticator: Authenticator | None) -> tuple[Any, int]:
    udp = bind_udp(("127.0.0.1", 0))
    port, tokens = int(udp.getsockname()[1]), itertools.count()
    identity = LocalIdentity(host="127.0.0.1", port=port, user_agent="t", new_token=lambda: f"{port}t{next(tokens)}")
    endpoint = Endpoint(identity=identity, authenticator=authenticator)
    return await serve_sip_udp(endpoint, udp, on_event=lines.dispatch), port
