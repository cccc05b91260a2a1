"""One attempt on this gateway, from the last look to call.ended.

Read it down the page: redeem, invite, ring, listen, find an agent, talk. Each step waits at the mailbox for what SIP,
detection and people say; `domain.call_states` holds which step may follow which.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from media_gateway.detection.early import EarlyMediaDetector, EarlyVerdict
from media_gateway.detection.greeting import AnswerDetector
from media_gateway.detection.greeting import Verdict as AnswerVerdict
from media_gateway.domain.call_states import CallMove, CallState, move
from media_gateway.domain.endings import ABANDON_LIMIT, EndFacts
from media_gateway.domain.heard import early_end_class, verdict_of
from media_gateway.handlers.call_log import CallLog
from media_gateway.handlers.deps import Deps
from media_gateway.handlers.mailbox import GiveUp, HangUp, Letter, Mailbox, OptOut
from media_gateway.ports import AssignedAgent, Granted, MediaLeg, TrunkCall, Unreachable, remote_of
from media_gateway.sip.events import Alerting, Answered, Ended, EndedBy, EndReason
from outdial_contracts.events import CallDial, EndClass, NotDialledReason, ProgressStage, Trunk, Verdict

PERSON = frozenset({Verdict.HUMAN, Verdict.SCREENER, Verdict.UNCERTAIN})
ASSIGN_EVERY_SECONDS = 0.1
BRIDGE_MARGIN = timedelta(milliseconds=50)
"""An agent is sought until so long before the legal limit, so that the bridge itself is in time."""
CANCEL_PATIENCE_SECONDS = 40.0
FIRST_AUDIO_SECONDS = 0.2
OPT_OUT_KEY = "9"


class LiveCall:
    """Drives one attempt; `run` returns when it is over and everything it held is free again."""

    def __init__(self, dial: CallDial, trunk: Trunk, max_duration_seconds: int, deps: Deps) -> None:
        self.dial, self.trunk = dial, trunk
        self.state = CallState.REDEEMING
        self.mailbox = Mailbox()
        self.over = asyncio.Event()
        self._max_duration_seconds = max_duration_seconds
        self._deps, self._log = deps, CallLog(dial, deps)
        self._invited_at = self._alerting_at = self._answered_at = deps.clock.now()
        self._alerted = self._answered = False
        self._verdict: Verdict | None = None
        self._early_class: EndClass | None = None
        self._greeting_ended_at: datetime | None = None
        self._bridged_at: datetime | None = None
        self._agent: AssignedAgent | None = None
        self._ring_timed_out = self._gave_up = self._agent_hung_up = self._safe_harbour = False
        self._ended: Ended | None = None

    @property
    def answered(self) -> bool:
        """A 200 came."""
        return self._answered

    async def run(self) -> None:
        """The whole life of the attempt on this gateway."""
        try:
            granted = await self._redeem()
            if granted is not None:
                await self._with_leg(granted)
        finally:
            self.over.set()

    async def _with_leg(self, granted: Granted) -> None:
        leg = await self._deps.media.open_leg()
        try:
            await self._call(granted, leg)
        finally:
            self._release_agent()
            leg.close()

    async def _redeem(self) -> Granted | None:
        async with self._deps.child_span("call redeem", self.dial.attempt_id):
            result = await self._deps.gate.redeem(self.dial, 1)
        if isinstance(result, Granted):
            return result
        self._move(CallMove.NOT_GRANTED)
        if isinstance(result, Unreachable):
            self._log.not_dialled(NotDialledReason.GATE_UNREACHABLE, self._now())
        return None

    async def _call(self, granted: Granted, leg: MediaLeg) -> None:
        call = self._invite(granted, leg)
        if call is None:
            return
        if await self._ring(call, leg) and await self._listen(call, leg):
            await self._serve(call, leg)
        await self._finish(call, leg)

    def _invite(self, granted: Granted, leg: MediaLeg) -> TrunkCall | None:
        """Sends the INVITE within the grant, or says that none was sent."""
        if self._deps.clock.monotonic() >= granted.deadline_seconds:
            self._unsent(NotDialledReason.GRANT_EXPIRED)
            return None
        try:
            call = self._deps.trunks.place(
                call_id=f"{self.dial.attempt_id}.1@{self._deps.config.sip_host}",
                trunk=self.trunk,
                number=granted.e164,
                caller_id=self.dial.caller_id,
                traceparent=self._deps.inject_trace(self.dial.attempt_id),
                leg=leg,
                on_event=self.mailbox.put,
            )
        except OSError:
            self._unsent(NotDialledReason.SEND_FAILED)
            return None
        self._invited_at = self._now()
        self._move(CallMove.GRANTED)
        self._log.progress(ProgressStage.INVITED, self._invited_at)
        return call

    def _unsent(self, reason: NotDialledReason) -> None:
        self._move(CallMove.NOT_GRANTED)
        self._log.not_dialled(reason, self._now())

    async def _ring(self, call: TrunkCall, leg: MediaLeg) -> bool:
        """Until the answer (True) or the end without one (False)."""
        deadline = self._deps.clock.monotonic() + self.dial.ring_timeout_seconds
        while True:
            letter = await self.mailbox.next(deadline)
            if isinstance(letter, Answered):
                return self._on_answer(letter, leg)
            if isinstance(letter, Ended):
                return self._over(letter)
            if isinstance(letter, Alerting):
                self._on_alerting(letter, leg)
            elif isinstance(letter, EarlyVerdict):
                self._early_class = early_end_class(letter.media) or self._early_class
                self._log.progress(ProgressStage.EARLY_MEDIA, self._now())
            elif (letter is None or isinstance(letter, (GiveUp, HangUp))) and self.state is not CallState.CANCELLING:
                self._ring_timed_out, self._gave_up = letter is None, letter is not None
                self._move(CallMove.RING_OVER)
                call.hang_up()
                deadline = self._deps.clock.monotonic() + CANCEL_PATIENCE_SECONDS
            elif letter is None:
                return False

    def _on_alerting(self, letter: Alerting, leg: MediaLeg) -> None:
        if letter.sdp is not None and leg.on_frame is None:
            leg.set_remote(*remote_of(letter.sdp))
            self._deps.media.listen(leg, EarlyMediaDetector(), self.mailbox.put)
        if letter.status == 183:
            return
        self._move(CallMove.ALERTED)
        if not self._alerted:
            self._alerted, self._alerting_at = True, self._now()
            self._log.progress(ProgressStage.ALERTING, self._alerting_at, sip_status=letter.status)

    def _on_answer(self, letter: Answered, leg: MediaLeg) -> bool:
        self._answered, self._answered_at = True, self._now()
        self._move(CallMove.ANSWERED)
        self._log.answered(self.trunk.trunk_id, self._answered_at)
        if letter.crossed_cancel:
            return False
        leg.set_remote(*remote_of(letter.sdp))
        self._deps.media.listen(leg, AnswerDetector(self._deps.profile), self.mailbox.put)
        leg.on_digit = lambda _, key: self._on_digit(key)
        return True

    def _on_digit(self, key: str) -> None:
        if key == OPT_OUT_KEY:
            self.mailbox.put(OptOut())

    async def _listen(self, call: TrunkCall, leg: MediaLeg) -> bool:
        """Until detection has a verdict; True when a person is on the line."""
        while True:
            letter = await self.mailbox.next(None)
            if isinstance(letter, Ended):
                return self._over(letter)
            if isinstance(letter, HangUp):
                return self._hang_up(call, by_agent=letter.by_agent)
            if isinstance(letter, AnswerVerdict):
                leg.on_frame = None
                return self._on_verdict(call, letter)

    def _on_verdict(self, call: TrunkCall, heard: AnswerVerdict) -> bool:
        verdict = self._verdict = verdict_of(heard.answerer)
        if heard.greeting_end_ms is not None:
            self._greeting_ended_at = self._answered_at + timedelta(milliseconds=heard.greeting_end_ms)
        self._log.progress(
            ProgressStage.VERDICT,
            self._now(),
            verdict=verdict,
            greeting_ended_at=self._greeting_ended_at,
        )
        if verdict in PERSON:
            self._move(CallMove.HUMAN)
            return True
        self._move(CallMove.NOT_HUMAN)
        call.hang_up()
        return False

    async def _serve(self, call: TrunkCall, leg: MediaLeg) -> None:
        """A person waits: an agent in time, or the safe-harbour message."""
        async with self._deps.child_span("call assign", self.dial.attempt_id):
            agent = await self._find_agent(call)
        if self.state is not CallState.ASSIGNING:
            return
        if agent is None:
            await self._play_safe_harbour(call, leg)
        else:
            await self._talk(call, leg, agent)

    async def _find_agent(self, call: TrunkCall) -> AssignedAgent | None:
        greeting_ended_at = self._greeting_ended_at or self._now()
        while self._now() < greeting_ended_at + ABANDON_LIMIT - BRIDGE_MARGIN:
            owner = self._deps.standing.owners.get(self.dial.team_id)
            address = owner.address if owner else self.dial.owner_address
            agent = await self._deps.router.assign(self.dial, address, greeting_ended_at)
            if agent is not None and self._claim(agent):
                return agent
            letter = await self.mailbox.next(self._deps.clock.monotonic() + ASSIGN_EVERY_SECONDS)
            if isinstance(letter, Ended):
                self._over(letter)
                return None
            if isinstance(letter, (HangUp, OptOut)):
                await self._on_wish(call, letter)
                return None
        return None

    def _claim(self, agent: AssignedAgent) -> bool:
        refused = self._deps.standing.legs.claim(agent.leg_id, self.dial.attempt_id, agent.epoch)
        if refused is None:
            self._agent = agent
        return refused is None

    async def _play_safe_harbour(self, call: TrunkCall, leg: MediaLeg) -> None:
        self._move(CallMove.NOBODY)
        self._safe_harbour = True
        played = asyncio.ensure_future(leg.play(self._deps.media.prompt(self.dial.safe_harbour)))
        waiting = asyncio.ensure_future(self._until_over(call, None))
        await asyncio.wait({played, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        leg.stop_playing()
        if self.state is CallState.SAFE_HARBOUR:
            self._move(CallMove.MESSAGE_OVER)
            call.hang_up()

    async def _talk(self, call: TrunkCall, leg: MediaLeg, agent: AssignedAgent) -> None:
        heard_at = self._deps.clock.monotonic()
        who = {"agent_id": agent.agent_id, "agent_lease_id": agent.lease_id}
        self._log.progress(ProgressStage.ASSIGNED, self._now(), **who)
        phone = self._deps.standing.phones[agent.leg_id].leg
        sent_before = phone.stats().sent
        self._deps.media.bridge(leg, phone)
        self._bridged_at = self._now()
        self._move(CallMove.CLAIMED)
        # The relay counts packets and must not wait for anybody, so it is asked.
        while phone.stats().sent == sent_before and self._elapsed(heard_at) < FIRST_AUDIO_SECONDS:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        delay_ms = self._elapsed(heard_at) * 1000
        self._log.progress(ProgressStage.BRIDGED, self._bridged_at, audio_delay_ms=delay_ms, **who)
        await self._until_over(call, self._deps.clock.monotonic() + self._max_duration_seconds)
        self._deps.media.unbridge(leg)

    async def _until_over(self, call: TrunkCall, deadline: float | None) -> None:
        """Until the far end, the agent or the clock ends it."""
        while self.state in (CallState.BRIDGED, CallState.SAFE_HARBOUR):
            letter = await self.mailbox.next(deadline)
            if isinstance(letter, Ended):
                self._over(letter)
            elif letter is None:
                self._hang_up(call, by_agent=False)
            else:
                await self._on_wish(call, letter)

    async def _on_wish(self, call: TrunkCall, letter: Letter) -> None:
        if isinstance(letter, HangUp):
            self._hang_up(call, by_agent=letter.by_agent)
        elif isinstance(letter, OptOut) and self._bridged_at is None:
            self._hang_up(call, by_agent=False)
            await self._deps.gate.suppress(self.dial, self._now())

    async def _finish(self, call: TrunkCall, leg: MediaLeg) -> None:
        """Waits for the end that SIP confirms, then says it."""
        deadline = self._deps.clock.monotonic() + CANCEL_PATIENCE_SECONDS
        while self._ended is None:
            letter = await self.mailbox.next(deadline)
            if isinstance(letter, Ended):
                self._over(letter)
            elif letter is None:
                break
        self._log.ended(
            self._facts(),
            leg.stats().received,
            trunk_id=self.trunk.trunk_id,
            invited_at=self._invited_at,
            alerting_at=self._alerting_at if self._alerted else None,
            agent_id=self._agent.agent_id if self._agent else None,
            agent_lease_id=self._agent.lease_id if self._agent else None,
        )

    def _facts(self) -> EndFacts:
        ended = self._ended
        return EndFacts(
            status=ended.status if ended else None,
            q850_cause=ended.q850 if ended else None,
            ended_by_peer=ended is not None and ended.by is EndedBy.REMOTE,
            answered_at=self._answered_at if self._answered else None,
            ended_at=self._now(),
            bridged_at=self._bridged_at,
            greeting_ended_at=self._greeting_ended_at,
            verdict=self._verdict,
            early_class=self._early_class,
            ring_timed_out=self._ring_timed_out,
            cancelled=self._gave_up,
            crossed=ended is not None and ended.reason is EndReason.CROSSED,
            safe_harbour=self._safe_harbour,
            agent_hung_up=self._agent_hung_up,
        )

    def _over(self, ended: Ended) -> bool:
        self._ended = ended
        self._move(CallMove.OVER)
        return False

    def _hang_up(self, call: TrunkCall, *, by_agent: bool) -> bool:
        self._agent_hung_up = by_agent
        self._move(CallMove.HANG_UP)
        call.hang_up()
        return False

    def _release_agent(self) -> None:
        if self._agent is not None:
            self._deps.standing.legs.release(self._agent.leg_id, self.dial.attempt_id)

    def _move(self, what: CallMove) -> None:
        self.state = move(self.state, what)

    def _elapsed(self, since_seconds: float) -> float:
        return self._deps.clock.monotonic() - since_seconds

    def _now(self) -> datetime:
        return self._deps.clock.now()
