"""One attempt on this gateway, from the last look to call.ended.

Read it down the page: redeem, invite, ring, listen, find an agent, talk. Each step waits at the mailbox for what SIP,
detection and people say; `domain.call_states` holds which step may follow which. No step is left but through a move of
that table, and no letter is an error in a state that it comes too late for.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

from media_gateway.detection.early import EarlyMediaDetector, EarlyVerdict
from media_gateway.detection.greeting import AnswerDetector
from media_gateway.detection.greeting import Verdict as AnswerVerdict
from media_gateway.domain.call_states import CallMove, CallState, move
from media_gateway.domain.endings import ABANDON_LIMIT, EndFacts
from media_gateway.domain.heard import early_end_class, verdict_of
from media_gateway.handlers.call_log import CallLog
from media_gateway.handlers.deps import Deps
from media_gateway.handlers.mailbox import GiveUp, HangUp, Letter, Mailbox, MessageOver, OptOut
from media_gateway.ports import AssignedAgent, Granted, MediaLeg, TrunkCall, Unreachable, remote_of
from media_gateway.sip.events import Alerting, Answered, Ended, EndedBy, EndReason
from outdial_contracts.events import CallDial, NotDialledReason, ProgressStage, Trunk, Verdict
from outdial_contracts.safe_harbour import OPT_OUT_KEY

PERSON = frozenset({Verdict.HUMAN, Verdict.SCREENER, Verdict.UNCERTAIN})
ASSIGN_EVERY_SECONDS = 0.1
BRIDGE_MARGIN = timedelta(milliseconds=50)
"""An agent is sought until so long before the legal limit, so that the bridge or the message is still in time."""
END_PATIENCE_SECONDS = 40.0
"""Longer than 64 * T1, after which the SIP core itself ends a call whose CANCEL nobody honours."""
FIRST_AUDIO_SECONDS = 0.2
log = logging.getLogger(__name__)


class LiveCall:
    """Drives one attempt on an open leg; `run` returns when it is over and everything it held is free again."""

    def __init__(self, dial: CallDial, trunk: Trunk, max_duration_seconds: int, leg: MediaLeg, deps: Deps) -> None:
        self.dial, self.trunk = dial, trunk
        self.state = CallState.REDEEMING
        self.mailbox = Mailbox(deps.clock.monotonic)
        self.over = asyncio.Event()
        self._max_duration_seconds = max_duration_seconds
        self._leg, self._deps, self._log = leg, deps, CallLog(dial, deps)
        self._known = EndFacts(ended_at=deps.clock.now())
        self._call: TrunkCall | None = None
        self._agent: AssignedAgent | None = None
        self._answered_seconds = self._verdict_seconds = 0.0
        self._early_heard = False
        self._sent_unbridged = 0
        """Packets that had left towards the callee when he was bridged."""

    @property
    def answered(self) -> bool:
        """A 200 came."""
        return self._known.answered_at is not None

    async def run(self) -> None:
        """The whole life of the attempt on this gateway. Cancelled, it hangs up and says call.ended before it goes."""
        try:
            granted = await self._redeem()
            if granted is not None and self._invite(granted):
                await self._ring()
                await self._listen()
                await self._serve()
                await self._finish()
        except asyncio.CancelledError:
            self._cut_off()
            raise
        finally:
            self._release_agent()
            self._leg.close()
            self.over.set()

    async def _redeem(self) -> Granted | None:
        async with self._deps.child_span("call redeem", self.dial.attempt_id):
            result = await self._deps.gate.redeem(self.dial, 1)
        if isinstance(result, Granted):
            return result
        self._move(CallMove.NOT_GRANTED)
        if isinstance(result, Unreachable):
            self._log.not_dialled(NotDialledReason.GATE_UNREACHABLE, self._deps.clock.now())
        return None

    def _invite(self, granted: Granted) -> bool:
        """Sends the INVITE within the grant, or says that none was sent."""
        unsent: NotDialledReason | None = None
        traceparent = self._deps.inject_trace(self.dial.attempt_id)
        if self.mailbox.take() is not None:  # before the INVITE only GiveUp and HangUp can be here
            unsent = NotDialledReason.DRAINING if self._deps.standing.draining else NotDialledReason.CANCELLED
        elif self._deps.clock.monotonic() >= granted.deadline_seconds:
            unsent = NotDialledReason.GRANT_EXPIRED
        elif not self._place(granted.e164, traceparent):
            unsent = NotDialledReason.SEND_FAILED
        now = self._deps.clock.now()
        if unsent is not None:
            self._move(CallMove.NOT_GRANTED)
            self._log.not_dialled(unsent, now)
            return False
        self._learn(invited_at=now)
        self._move(CallMove.GRANTED)
        self._log.progress(ProgressStage.INVITED, now)
        return True

    def _place(self, number: str, traceparent: str) -> bool:
        try:
            self._call = self._deps.trunks.place(
                call_id=f"{self.dial.attempt_id}.1@{self._deps.config.sip_host}",
                trunk=self.trunk,
                number=number,
                caller_id=self.dial.caller_id,
                traceparent=traceparent,
                leg=self._leg,
                on_event=self.mailbox.put,
            )
        except OSError:
            return False
        return True

    async def _ring(self) -> None:
        """Until the answer, or the end, or our CANCEL."""
        deadline = self._deps.clock.monotonic() + self.dial.ring_timeout_seconds
        while self._is(CallState.INVITED, CallState.ALERTING):
            letter = await self.mailbox.next(deadline)
            if isinstance(letter, Answered):
                self._on_answer(letter)
            elif isinstance(letter, Ended):
                self._over(letter)
            elif isinstance(letter, Alerting):
                self._on_alerting(letter)
            elif isinstance(letter, EarlyVerdict):
                self._on_early_media(letter)
            elif letter is None or isinstance(letter, (GiveUp, HangUp)):
                self._learn(ring_timed_out=letter is None, cancelled=letter is not None)
                self._end(CallMove.RING_OVER)

    def _on_alerting(self, letter: Alerting) -> None:
        if letter.sdp is not None:
            self._leg.set_remote(*remote_of(letter.sdp))
            if self._leg.on_frame is None:
                self._deps.media.listen(self._leg, EarlyMediaDetector(), self.mailbox.put)
        if letter.status == 183:
            return  # progress, not ringing (RFC 3261 section 21.1.5)
        self._move(CallMove.ALERTED)
        if self._known.alerting_at is None:
            now = self._deps.clock.now()
            self._learn(alerting_at=now)
            self._log.progress(ProgressStage.ALERTING, now, sip_status=letter.status)

    def _on_early_media(self, heard: EarlyVerdict) -> None:
        self._learn(early_class=early_end_class(heard) or self._known.early_class)
        if not self._early_heard:
            self._early_heard = True
            self._log.progress(ProgressStage.EARLY_MEDIA, self._deps.clock.now())

    def _on_answer(self, letter: Answered) -> None:
        self._note_answer()
        self._leg.set_remote(*remote_of(letter.sdp))
        self._deps.media.listen(self._leg, AnswerDetector(self._deps.profile), self.mailbox.put)
        self._leg.on_digit = lambda _, key: self._on_digit(key)

    def _note_answer(self) -> None:
        now = self._deps.clock.now()
        self._answered_seconds = self._deps.clock.monotonic()
        self._learn(answered_at=now)
        self._move(CallMove.ANSWERED)
        self._log.answered(self.trunk.trunk_id, now)

    def _on_digit(self, key: str) -> None:
        if key == OPT_OUT_KEY:
            self.mailbox.put(OptOut())

    async def _listen(self) -> None:
        """Until detection, which always comes to one, has a verdict."""
        while self._is(CallState.LISTENING):
            letter = await self.mailbox.next(None)
            if isinstance(letter, AnswerVerdict):
                self._on_verdict(letter)
            else:
                self._heed(letter)

    def _on_verdict(self, heard: AnswerVerdict) -> None:
        self._leg.on_frame = None
        self._verdict_seconds = self._deps.clock.monotonic()
        now, verdict = self._deps.clock.now(), verdict_of(heard.answerer)
        greeting_ended_at = now if verdict in PERSON else None  # a person heard without any greeting waits from now on
        if heard.greeting_end_ms is not None and self._known.answered_at is not None:
            # Every tick since the answer fed one frame, so audio time is time since the answer; ticks that a stalled
            # loop gave up make the end earlier than it was, which is the safe side.
            greeting_ended_at = self._known.answered_at + timedelta(milliseconds=heard.greeting_end_ms)
        self._learn(verdict=verdict, greeting_ended_at=greeting_ended_at)
        self._log.progress(ProgressStage.VERDICT, now, verdict=verdict, greeting_ended_at=greeting_ended_at)
        if verdict in PERSON:
            self._move(CallMove.HUMAN)
        else:
            self._end(CallMove.NOT_HUMAN)

    async def _serve(self) -> None:
        """A person waits: an agent in time, or the safe-harbour message; anew if the agent goes before he is heard."""
        while self._is(CallState.ASSIGNING):
            async with self._deps.child_span("call assign", self.dial.attempt_id):
                phone = await self._seek_agent()
            if phone is not None:
                await self._report_bridge(phone)
            elif self._is(CallState.ASSIGNING):
                self._play_safe_harbour()
            await self._until_over()

    async def _seek_agent(self) -> MediaLeg | None:
        """Asks until an agent's leg is bridged, the call changes, or the law's limit comes near."""
        clock = self._deps.clock
        greeting_ended_at = self._known.greeting_ended_at or clock.now()
        left = (greeting_ended_at + ABANDON_LIMIT - BRIDGE_MARGIN - clock.now()).total_seconds()
        latest = clock.monotonic() + left
        while self._is(CallState.ASSIGNING) and (asked := clock.monotonic()) < latest:
            owner = self._deps.standing.owners.get(self.dial.team_id)
            address = owner.address if owner else self.dial.owner_address
            agent = await self._deps.router.assign(self.dial, address, greeting_ended_at, latest - asked)
            while (letter := self.mailbox.take()) is not None:
                self._heed(letter)
            phone = self._bridge(agent) if agent is not None and self._is(CallState.ASSIGNING) else None
            if phone is not None:
                return phone
            if self._is(CallState.ASSIGNING):
                self._heed(await self.mailbox.next(min(asked + ASSIGN_EVERY_SECONDS, latest)))
        return None

    def _bridge(self, agent: AssignedAgent) -> MediaLeg | None:
        """Claims the agent's leg and joins both, without waiting in between; None when the leg is not to be had."""
        standing = self._deps.standing
        if standing.legs.claim(agent.leg_id, self.dial.attempt_id, agent.epoch) is not None:
            return None
        self._agent = agent
        phone = standing.phones[agent.leg_id].leg
        self._log.progress(ProgressStage.ASSIGNED, self._deps.clock.now(), **self._of_agent())
        self._sent_unbridged = self._leg.stats().sent
        self._deps.media.bridge(self._leg, phone)
        self._learn(bridged_at=self._deps.clock.now())
        self._move(CallMove.CLAIMED)
        return phone

    async def _report_bridge(self, phone: MediaLeg) -> None:
        """Says BRIDGED with the delay from the verdict to the first audio of the callee that left towards the agent."""
        sent_before, clock = phone.stats().sent, self._deps.clock
        until = clock.monotonic() + FIRST_AUDIO_SECONDS
        # The relay counts packets and must not wait for anybody, so it is asked.
        while phone.stats().sent == sent_before and clock.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        heard = phone.stats().sent > sent_before
        delay_ms = (clock.monotonic() - self._verdict_seconds) * 1000 if heard else None
        bridged_at = self._known.bridged_at or clock.now()
        self._log.progress(ProgressStage.BRIDGED, bridged_at, audio_delay_ms=delay_ms, **self._of_agent())

    def _play_safe_harbour(self) -> None:
        self._move(CallMove.NOBODY)
        self._learn(safe_harbour=True)
        played = self._leg.play(self._deps.media.prompt(self.dial.safe_harbour) or [])
        played.add_done_callback(lambda _: self.mailbox.put(MessageOver()))

    async def _until_over(self) -> None:
        """Until the far end, the agent, the end of the message or the longest duration ends it."""
        deadline = self._answered_seconds + self._max_duration_seconds
        while self._is(CallState.BRIDGED, CallState.SAFE_HARBOUR):
            letter = await self.mailbox.next(deadline)
            if isinstance(letter, MessageOver):
                self._end(CallMove.MESSAGE_OVER)
            elif letter is None:
                self._end(CallMove.HANG_UP)
            else:
                self._heed(letter)
        self._leg.stop_playing()
        self._deps.media.unbridge(self._leg)

    def _heed(self, letter: Letter | None) -> None:
        """What may come at any time after the answer; everything else came too late and changes nothing."""
        if not self._is(CallState.LISTENING, CallState.ASSIGNING, CallState.BRIDGED, CallState.SAFE_HARBOUR):
            return
        if isinstance(letter, Ended):
            self._over(letter)
        elif isinstance(letter, HangUp) and letter.by_agent and self._agent_unheard():
            self._lose_agent()
        elif isinstance(letter, HangUp):
            self._learn(agent_hung_up=letter.by_agent)
            self._end(CallMove.HANG_UP)
        elif isinstance(letter, OptOut) and self._known.bridged_at is None:
            self._end(CallMove.HANG_UP)
            task = self._deps.start(self._opt_out())
            self._deps.standing.opt_outs.add(task)
            task.add_done_callback(self._deps.standing.opt_outs.discard)

    def _agent_unheard(self) -> bool:
        """Bridged, and nothing of the agent left towards the callee yet."""
        return self._is(CallState.BRIDGED) and self._leg.stats().sent == self._sent_unbridged

    def _lose_agent(self) -> None:
        """His end crossed the bridge: the callee, who heard nobody, was connected to nobody and still waits."""
        self._move(CallMove.AGENT_GONE)
        self._learn(bridged_at=None)
        self._release_agent()
        self._agent = None

    async def _opt_out(self) -> None:
        """Outlives the call: the gate may be away for longer than that."""
        try:
            await self._deps.gate.suppress(self.dial, self._deps.clock.now())
        except asyncio.CancelledError:
            log.error("an opt-out by key did not reach the gate before the shutdown", extra=self._in_log())
            raise

    async def _finish(self) -> None:
        """Waits for the end that SIP confirms, then says it. An answer that comes now crossed our CANCEL."""
        deadline = self._deps.clock.monotonic() + END_PATIENCE_SECONDS
        while not self._is(CallState.ENDED):
            letter = await self.mailbox.next(deadline)
            if isinstance(letter, Answered):
                self._learn(crossed=True)
                self._note_answer()
            elif isinstance(letter, Ended):
                self._over(letter)
            elif letter is None:
                self._move(CallMove.OVER)
        self._say_end()

    def _cut_off(self) -> None:
        """The process goes: the far end is told now, and so is whoever reads call.ended."""
        if self._call is None:
            if self._is(CallState.REDEEMING):
                self._log.not_dialled(NotDialledReason.DRAINING, self._deps.clock.now())
            return
        if not self._log.closed:
            self._learn(cancelled=True)
            self._call.hang_up()
            self._say_end()

    def _say_end(self) -> None:
        self._learn(ended_at=self._deps.clock.now())
        self._log.ended(self._known, self._leg.stats().received, trunk_id=self.trunk.trunk_id, **self._of_agent())

    def _over(self, ended: Ended) -> None:
        self._learn(
            status=ended.status,
            q850_cause=ended.q850,
            ended_by_peer=ended.by is EndedBy.REMOTE,
            no_response=ended.reason is EndReason.TIMER_B,
            crossed=self._known.crossed or ended.reason is EndReason.CROSSED,
        )
        self._move(CallMove.OVER)

    def _end(self, what: CallMove) -> None:
        """A move by which we end the call."""
        self._move(what)
        if self._call is not None:
            self._call.hang_up()

    def _release_agent(self) -> None:
        if self._agent is not None:
            self._deps.standing.legs.release(self._agent.leg_id, self.dial.attempt_id)

    def _of_agent(self) -> dict[str, Any]:
        agent = self._agent
        return {"agent_id": agent.agent_id, "agent_lease_id": agent.lease_id} if agent else {}

    def _in_log(self) -> dict[str, str]:
        return {"attempt_id": self.dial.attempt_id}

    def _is(self, *states: CallState) -> bool:
        return self.state in states

    def _learn(self, **facts: Any) -> None:
        self._known = replace(self._known, **facts)

    def _move(self, what: CallMove) -> None:
        self.state = move(self.state, what)
