"""Whatever comes in whatever legal order, a call ends once, says so once, and lets go of all it held."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import looptime
from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.detection.early import EarlyMedia
from media_gateway.detection.greeting import Answerer
from media_gateway.domain.call_states import MOVES, CallMove, CallState
from media_gateway.handlers.mailbox import GiveUp, HangUp
from media_gateway.ports import Granted, NotGranted, Unreachable
from media_gateway.sip.events import EndedBy, EndReason
from outdial_contracts.events import CallAnswered, CallEnded

from .fakes import AGENT, NUMBER, SDP, FakeLine
from .world import World, early, settle, verdict, world

STEPS = st.sampled_from(
    [
        *("ring", "progress", "answer", "answer", "busy", "timer_b", "bye", "terminated"),
        *("early_sit", "human", "human", "machine", "late_human"),
        *("hang_up", "agent_hang_up", "give_up", "key_9", "phone_up", "phone_gone", "slow_pacer", "quick_pacer"),
        *("wait_0", "wait_0", "wait_50", "wait_300", "wait_2500", "wait_20000"),
    ]
)
BEGINNINGS = st.sampled_from(
    [
        [],
        ["wait_50", "ring", "answer", "wait_50"],
        ["wait_50", "answer", "wait_300", "human", "wait_2500"],
        ["phone_up", "wait_50", "answer", "wait_300", "human", "wait_300"],
    ]
)
GRANTS = st.sampled_from([None, None, None, Unreachable(), NotGranted(), Granted(e164=NUMBER, deadline_seconds=0.0)])


@dataclass
class Player:
    """Plays a step where the outside world could do such a thing now, else skips it."""

    w: World
    listened: bool = False

    @property
    def line(self) -> FakeLine | None:
        return self.w.trunks.lines[0] if self.w.trunks.lines else None

    def ring(self) -> None:
        if self.unanswered:
            self.unanswered.ring()

    def progress(self) -> None:
        if self.unanswered:
            self.unanswered.ring(183, SDP)

    def answer(self) -> None:
        if self.unanswered:
            self.unanswered.answer()

    def busy(self) -> None:
        if self.unanswered:
            self.unanswered.reject(486, 17)

    def timer_b(self) -> None:
        if self.unanswered:
            self.unanswered.end(EndedBy.NOBODY, EndReason.TIMER_B)

    def terminated(self) -> None:
        if self.unanswered and self.unanswered.cancelled:
            self.unanswered.reject(487)

    def bye(self) -> None:
        if self.line and self.line.answered and not self.line.ended:
            self.line.bye()

    @property
    def unanswered(self) -> FakeLine | None:
        line = self.line
        return line if line and not line.answered and not line.ended else None

    def early_sit(self) -> None:
        if self.unanswered and self.w.media.legs[0].on_frame is not None:
            self.w.media.on_verdict(early(EarlyMedia.SIT))

    def human(self) -> None:
        self._hear(Answerer.HUMAN, 700)

    def late_human(self) -> None:
        self._hear(Answerer.UNCERTAIN, None)

    def machine(self) -> None:
        self._hear(Answerer.MACHINE, 3400)

    def _hear(self, answerer: Answerer, greeting_end_ms: int | None) -> None:
        """Detection gives one verdict, and goes on while the far end is gone but nobody has read so."""
        if self.w.media.listening_for_answer and not self.listened:
            self.listened = True
            self.w.media.on_verdict(verdict(answerer, greeting_end_ms=greeting_end_ms))

    def hang_up(self) -> None:
        self.w.put(HangUp(by_agent=False))

    def agent_hang_up(self) -> None:
        self.w.put(HangUp(by_agent=True))

    def give_up(self) -> None:
        self.w.put(GiveUp())

    def key_9(self) -> None:
        leg = self.w.media.legs[0]
        if leg.on_digit is not None:
            leg.on_digit(None, "9")

    def phone_up(self) -> None:
        if AGENT.leg_id not in self.w.deps.standing.phones:
            self.w.agent_phone()

    def phone_gone(self) -> None:
        standing = self.w.deps.standing
        phone, leg = standing.phones.pop(AGENT.leg_id, None), standing.legs.down(AGENT.leg_id)
        if phone is not None:
            phone.leg.close()
        if leg is not None and leg.attempt_id is not None:
            self.w.put(HangUp(by_agent=True))

    def slow_pacer(self) -> None:
        self.w.router.seconds = 5.0

    def quick_pacer(self) -> None:
        self.w.router.seconds = 0.0

    async def play(self, step: str) -> None:
        if step.startswith("wait_"):
            await settle(int(step.removeprefix("wait_")) / 1000)
        else:
            getattr(self, step)()


async def live_through(steps: list[str], grant: Granted | NotGranted | Unreachable | None) -> tuple[World, int]:
    async with world() as w:
        w.gate.answer = grant
        call = await w.call()
        player = Player(w)
        for step in steps:
            await player.play(step)
        await settle(0.1)
        if player.line is not None and player.line.answered and not player.line.ended:
            player.line.bye()
        await asyncio.wait_for(call.over.wait(), 200)
    return w, len(w.trunks.lines)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(beginning=BEGINNINGS, steps=st.lists(STEPS, max_size=12), grant=GRANTS)
def test_any_legal_order_ends_once_and_holds_nothing(
    beginning: list[str], steps: list[str], grant: Granted | NotGranted | Unreachable | None
) -> None:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        w, invites = runner.run(live_through(beginning + steps, grant))
    ends = w.outbox.of(CallEnded)
    assert [end.dialled for end in ends] == ([] if isinstance(grant, NotGranted) else [invites == 1])
    assert not ends or w.outbox.emitted[-1].event is ends[0]
    assert len(w.outbox.of(CallAnswered)) == sum(line.answered for line in w.trunks.lines)
    causes = [(type(emit.event), emit.cause) for emit in w.outbox.emitted]
    assert len(set(causes)) == len(causes)
    assert w.media.legs[0].closed
    assert all(leg.attempt_id is None for leg in w.deps.standing.legs.by_id.values())
    assert all(line.ended or line.hung_up for line in w.trunks.lines)
    assert not w.deps.standing.opt_outs


def test_every_state_but_the_end_can_be_left_and_the_end_cannot() -> None:
    left = {state for state, _ in MOVES}
    assert left == set(CallState) - {CallState.ENDED}
    assert {what for _, what in MOVES} == set(CallMove)
    reached = {CallState.REDEEMING}
    for _ in MOVES:
        reached |= {after for (before, _), after in MOVES.items() if before in reached}
    assert reached == set(CallState)
