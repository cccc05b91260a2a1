"""What every implementation of ports.Trunks does, whatever carries it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from media_gateway.ports import TrunkCall, Trunks
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import Alerting, Answered, CallEvent, Ended, EndedBy, EndReason, Proceeding
from outdial_contracts.events import Transport, Trunk

from .called_side import SOUND, Called

NUMBER = "+12125550123"
LEG: Any = SimpleNamespace(local_host="127.0.0.1", local_port=41_996)


@dataclass
class Placed:
    """A call that was placed, and what it was told."""

    line: TrunkCall
    events: list[CallEvent] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    @property
    def ended(self) -> Ended:
        [ended] = [event for event in self.events if isinstance(event, Ended)]
        return ended


class Carriage(ABC):
    """The port under test and the called side behind it."""

    trunks: Trunks
    port = 1

    @abstractmethod
    def called(self, call_id: str) -> Called | None:
        """The called side of a call whose INVITE has arrived."""

    @abstractmethod
    def stop_ears(self) -> None:
        """From now on nobody honours a CANCEL."""

    @abstractmethod
    def break_socket(self) -> None:
        """From now on the socket refuses every datagram to the carrier."""

    async def place(self, call_id: str = "a.1@h") -> tuple[Placed, Called]:
        placed = self.send(call_id)
        await until(lambda: self.called(call_id) is not None)
        called = self.called(call_id)
        assert called is not None
        return placed, called

    def send(self, call_id: str = "a.1@h", events: list[CallEvent] | None = None) -> Placed:
        told: list[CallEvent] = [] if events is None else events
        trunk = Trunk(
            trunk_id="t", host="127.0.0.1", port=self.port, transport=Transport.UDP, weight=1, calls_per_second=50,
            channels=100,
        )  # fmt: skip
        line = self.trunks.place(
            call_id=call_id,
            trunk=trunk,
            number=NUMBER,
            caller_id="+12125550101",
            traceparent="00-aa-bb-01",
            leg=LEG,
            on_event=told.append,
        )
        return Placed(line, told)


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    pause = 0.005
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(pause)
            pause = min(0.2, pause * 1.2)


class TrunksSuite(ABC):
    """Inherit it and give `carriage`."""

    @pytest.fixture
    @abstractmethod
    def carriage(self) -> Any: ...

    async def test_answered_call_is_told_step_by_step_and_confirmed(self, carriage: Carriage) -> None:
        placed, called = await carriage.place()
        called.trying()
        called.ring()
        called.answer()
        await until(lambda: "ACK" in called.seen)
        assert placed.kinds == ["Proceeding", "Alerting", "Answered"]
        proceeding, alerting, answered = placed.events
        assert isinstance(proceeding, Proceeding)
        assert proceeding.status == 100
        assert isinstance(alerting, Alerting)
        assert (alerting.status, alerting.sdp) == (180, None)
        assert isinstance(answered, Answered)
        assert (answered.sdp.address, answered.sdp.port, answered.crossed_cancel) == (*SOUND, False)
        assert {event.call_id for event in placed.events} == {"a.1@h"}

    async def test_nothing_is_told_while_the_call_is_being_placed(self, carriage: Carriage) -> None:
        assert carriage.send().events == []

    async def test_sound_before_the_answer_comes_with_its_address(self, carriage: Carriage) -> None:
        placed, called = await carriage.place()
        called.sound()
        called.sound()
        await until(lambda: bool(placed.events))
        await asyncio.sleep(0.1)
        [alerting] = placed.events
        assert isinstance(alerting, Alerting)
        assert alerting.sdp is not None
        assert (alerting.status, alerting.sdp.address, alerting.sdp.port) == (183, *SOUND)

    async def test_our_hang_up_after_the_answer_is_told_at_once_and_sends_one_bye(self, carriage: Carriage) -> None:
        placed, called = await self.talking(carriage)
        placed.line.hang_up()
        assert (placed.ended.by, placed.ended.reason, placed.ended.status) == (EndedBy.LOCAL, EndReason.HUNG_UP, 200)
        placed.line.hang_up()
        await until(lambda: "BYE" in called.seen)
        await asyncio.sleep(0.1)
        placed.line.hang_up()
        assert placed.kinds.count("Ended") == 1
        assert called.seen == ["INVITE", "ACK", "BYE"]

    async def test_callee_who_hangs_up_ends_the_call(self, carriage: Carriage) -> None:
        placed, called = await self.talking(carriage)
        called.hang_up()
        await until(lambda: "Ended" in placed.kinds)
        ended = placed.ended
        assert (ended.by, ended.reason, ended.status, ended.q850) == (EndedBy.REMOTE, EndReason.HUNG_UP, 200, 16)

    async def test_callee_who_hangs_up_at_once_was_answered_first(self, carriage: Carriage) -> None:
        placed, called = await carriage.place()
        called.answer()
        called.hang_up()
        await until(lambda: "Ended" in placed.kinds)
        assert placed.kinds == ["Answered", "Ended"]
        assert placed.ended.by is EndedBy.REMOTE

    async def test_rejection_is_told_with_its_cause(self, carriage: Carriage) -> None:
        placed, called = await carriage.place()
        called.trying()
        called.reject(486, 17)
        await until(lambda: "Ended" in placed.kinds)
        ended = placed.ended
        assert (ended.by, ended.reason, ended.status, ended.q850) == (EndedBy.REMOTE, EndReason.REJECTED, 486, 17)

    async def test_ringing_call_is_cancelled_and_ends_when_the_carrier_says_so(self, carriage: Carriage) -> None:
        placed, called = await carriage.place()
        called.ring()
        await until(lambda: "Alerting" in placed.kinds)
        placed.line.hang_up()
        placed.line.hang_up()
        assert "Ended" not in placed.kinds
        await until(lambda: "Ended" in placed.kinds)
        assert (placed.ended.by, placed.ended.reason) == (EndedBy.LOCAL, EndReason.CANCELLED)
        assert placed.ended.status == 487
        assert called.seen == ["INVITE", "CANCEL"]

    async def test_cancel_waits_for_the_first_provisional(self, carriage: Carriage) -> None:
        placed, called = await carriage.place()
        placed.line.hang_up()
        await asyncio.sleep(0.1)
        assert called.seen == ["INVITE"]
        called.trying()
        await until(lambda: "Ended" in placed.kinds)
        assert called.seen == ["INVITE", "CANCEL"]
        assert placed.ended.reason is EndReason.CANCELLED

    async def test_answer_that_crosses_our_cancel_is_confirmed_and_hung_up(self, carriage: Carriage) -> None:
        placed, called = await carriage.place()
        called.ring()
        await until(lambda: "Alerting" in placed.kinds)
        placed.line.hang_up()
        called.answer()
        await until(lambda: "BYE" in called.seen)
        answered, ended = placed.events[-2:]
        assert isinstance(answered, Answered)
        assert answered.crossed_cancel
        assert isinstance(ended, Ended)
        assert (ended.by, ended.reason, ended.status) == (EndedBy.LOCAL, EndReason.CROSSED, 200)
        assert sorted(called.seen) == ["ACK", "BYE", "CANCEL", "INVITE"]

    async def test_carrier_that_never_answers_ends_in_not_knowing(self, carriage: Carriage) -> None:
        placed, _ = await carriage.place()
        await until(lambda: "Ended" in placed.kinds)
        assert placed.kinds == ["Ended"]
        assert (placed.ended.by, placed.ended.reason) == (EndedBy.NOBODY, EndReason.TIMER_B)
        assert placed.ended.status is None

    async def test_cancel_that_nobody_honours_is_given_up(self, carriage: Carriage) -> None:
        carriage.stop_ears()
        placed, called = await carriage.place()
        called.ring()
        await until(lambda: "Alerting" in placed.kinds)
        placed.line.hang_up()
        await until(lambda: "Ended" in placed.kinds)
        assert (placed.ended.by, placed.ended.reason) == (EndedBy.NOBODY, EndReason.CANCEL_UNANSWERED)
        assert "CANCEL" in called.seen

    async def test_byes_that_cross_end_the_call_once(self, carriage: Carriage) -> None:
        placed, called = await self.talking(carriage)
        called.hang_up()
        placed.line.hang_up()
        await asyncio.sleep(0.2)
        assert placed.kinds.count("Ended") == 1
        assert placed.ended.by is EndedBy.LOCAL

    async def test_refused_send_called_nobody(self, carriage: Carriage) -> None:
        carriage.break_socket()
        events: list[CallEvent] = []
        with pytest.raises(OSError, match="refused") as raised:
            carriage.send("a.1@h", events)
        assert NUMBER[2:] not in str(raised.value)
        [ended] = events
        assert isinstance(ended, Ended)
        assert (ended.by, ended.reason) == (EndedBy.LOCAL, EndReason.NOT_SENT)
        await asyncio.sleep(0.1)
        assert carriage.called("a.1@h") is None

    async def test_call_id_in_use_is_refused(self, carriage: Carriage) -> None:
        await carriage.place()
        with pytest.raises(LocalProtocolError):
            carriage.send()

    async def talking(self, carriage: Carriage) -> tuple[Placed, Called]:
        """A call that was answered and confirmed."""
        placed, called = await carriage.place()
        called.ring()
        called.answer()
        await until(lambda: "ACK" in called.seen)
        return placed, called
