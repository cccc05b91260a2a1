"""One outgoing call, from the INVITE to the end, as a machine without I/O.

The obligations it holds: a CANCEL leaves only after a provisional response and is remembered until then; an answer
that crosses it is acknowledged and hung up at once; every 2xx is acknowledged, each time it comes, and a second
fork's is hung up; a challenge is answered once (twice when the nonce was stale) under the same Call-ID.
"""

from dataclasses import replace
from functools import partial

from media_gateway.sip.call_table import CALL_TABLE, CallAction, CallInput, CallState, look_up
from media_gateway.sip.dialog import DialogId, LocalIdentity, dialog_of_answer
from media_gateway.sip.events import (
    Alerting,
    Answered,
    CallEvent,
    CallTimes,
    Ended,
    EndedBy,
    EndReason,
    GhostEnded,
    Proceeding,
)
from media_gateway.sip.invitation import Authorizer, Invitation, build_invite
from media_gateway.sip.message import Request, Response, respond
from media_gateway.sip.reason import q850_cause, retry_after_seconds
from media_gateway.sip.sdp import SessionDescription
from media_gateway.sip.session import (
    Command,
    Effects,
    Forget,
    Reply,
    SendDirect,
    Session,
    StartTransaction,
    gone,
    usable_sdp,
)
from media_gateway.sip.timers import Timing
from media_gateway.sip.transaction_client import cancel_of
from media_gateway.sip.transaction_core import Failure
from media_gateway.sip.uri import Address


class OutgoingCall:
    """The transaction user of one INVITE and of the dialog that it makes."""

    def __init__(self, invitation: Invitation, *, identity: LocalIdentity, timing: Timing) -> None:
        self.call_id = invitation.call_id
        self.local_tag = identity.new_token()
        self.state = CallState.CALLING
        self.times = CallTimes()
        self._invitation = invitation
        self._identity = identity
        self._timing = timing
        self._authorizer = Authorizer(invitation.credentials, identity)
        self._cseq = 0
        self._invite = self._next_invite()
        self._session: Session | None = None
        self._early_sdp: SessionDescription | None = None
        self._last_alert: tuple[int, bytes] | None = None
        self._give_up_at: float | None = None
        self._bye: Request | None = None
        self._bye_authorized = False
        self._dropped: set[DialogId] = set()
        self._commands: list[Command] = []
        self._events: list[CallEvent] = []

    @property
    def ended(self) -> bool:
        """Ended was told and nothing of our own is under way."""
        return self.state is CallState.ENDED

    def start(self, now: float) -> Effects:
        """Send the INVITE."""
        self.times = replace(self.times, invite=now)
        self._send_invite()
        return self._flush()

    def hang_up(self, now: float) -> Effects:
        """End the call from our side whatever its state: CANCEL, CANCEL later, or BYE. Harmless when it has ended."""
        self._fire(CallInput.LOCAL_END, now)
        return self._flush()

    def on_response(self, request: Request, response: Response, peer: Address, now: float) -> Effects:
        """Take what a transaction of this call delivered."""
        if request is self._invite:
            self._on_invite_response(response, peer, now)
        elif request.method == "INVITE" and 200 <= response.status < 300:
            self._fire(CallInput.OTHER_ANSWER, now, response=response, peer=peer)  # to the INVITE before the challenge
        elif request is self._bye and response.status >= 200:
            self._on_bye_response(response, now)
        return self._flush()

    def on_stray_answer(self, response: Response, peer: Address, now: float) -> Effects:
        """A 2xx to an INVITE of this call whose transaction is gone, or was never ours."""
        self._on_further_answer(response, peer, now)
        return self._flush()

    def on_failure(self, request: Request, failure: Failure, now: float) -> Effects:
        """A transaction of this call ended without a final response."""
        if request is self._invite:
            self._fire(CallInput.NO_RESPONSE, now, failure=failure)
        elif request is self._bye:
            self._fire(CallInput.BYE_DONE, now)
        return self._flush()

    def on_request(self, request: Request, now: float) -> Effects:
        """Answer a request that carries our tag: 481 outside the dialog, 500 out of sequence."""
        session = self._session
        if session is None or request.from_tag != session.dialog.id.remote_tag or self.ended:
            return gone(request)
        if not session.dialog.takes(request):
            return Effects(commands=(Reply(request=request, response=respond(request, 500)),))
        if request.method != "BYE":
            hanging_up = self.state is CallState.ENDING
            return gone(request) if hanging_up else session.on_request(request, now)
        self._commands.append(Reply(request=request, response=respond(request, 200)))
        self._fire(CallInput.REMOTE_BYE, now, request=request)
        return self._flush()

    def on_ack(self, request: Request, now: float) -> Effects:
        """The ACK to our 200 to a re-INVITE."""
        if self._session is not None:
            self._session.acknowledged(request)
        return Effects()

    def next_timeout(self) -> float | None:
        """When handle_timers is wanted next."""
        waits = (self._give_up_at, self._session.next_timeout() if self._session else None)
        return min((at for at in waits if at is not None), default=None)

    def handle_timers(self, now: float) -> Effects:
        """Give up a CANCEL that nobody honoured; repeat a 200 to a re-INVITE."""
        if self._give_up_at is not None and now >= self._give_up_at:
            self._give_up_at = None
            self._fire(CallInput.GIVE_UP, now)
        if self._session is not None:
            commands, overdue = self._session.handle_timers(now)
            self._commands += commands
            if overdue:
                self._fire(CallInput.LOCAL_END, now)
        return self._flush()

    def _on_invite_response(self, response: Response, peer: Address, now: float) -> None:
        status = response.status
        if status < 200:
            self._fire(CallInput.PROVISIONAL, now, response=response)
        elif status < 300:
            self._on_answer(response, peer, now)
        elif status in {401, 407} and self._can_authorize(response):
            self._fire(CallInput.CHALLENGE, now, response=response)
        else:
            self._fire(CallInput.REJECTION, now, response=response)

    def _on_answer(self, response: Response, peer: Address, now: float) -> None:
        if self._session is not None or self.ended:
            self._on_further_answer(response, peer, now)
            return
        dialog = dialog_of_answer(response, identity=self._identity, peer=peer)
        self._session = Session(
            dialog=dialog, identity=self._identity, local_sdp=self._invitation.sdp, timing=self._timing
        )
        sdp = usable_sdp(response.body) if response.body else self._early_sdp
        event = CallInput.ANSWER if sdp is not None else CallInput.BAD_ANSWER
        self._fire(event, now, response=response, sdp=sdp)

    def _on_further_answer(self, response: Response, peer: Address, now: float) -> None:
        known = self._session is not None and self._session.dialog.id.remote_tag == response.to_tag
        event = CallInput.REPEATED_ANSWER if known else CallInput.OTHER_ANSWER
        self._fire(event, now, response=response, peer=peer)

    def _on_bye_response(self, response: Response, now: float) -> None:
        again = response.status in {401, 407} and not self._bye_authorized and self._authorizer.learn(response)
        self._fire(CallInput.BYE_CHALLENGE if again else CallInput.BYE_DONE, now)

    def _fire(
        self,
        event: CallInput,
        now: float,
        *,
        response: Response | None = None,
        request: Request | None = None,
        peer: Address | None = None,
        sdp: SessionDescription | None = None,
        failure: Failure | None = None,
    ) -> None:
        self.state, actions = look_up(CALL_TABLE, self.state, event)
        end = partial(self._end, now)
        for action in actions:
            if action is CallAction.NOTE and response is not None:
                self._note(response, now)
            elif action is CallAction.AUTHORIZE:
                self._invite = self._next_invite()
                self._send_invite()
            elif action is CallAction.CANCEL:
                self._cancel(now)
            elif action is CallAction.ACK and response is not None:
                self._ack(response, now)
            elif action is CallAction.ANSWERED and sdp is not None:
                self._answered(sdp)
            elif action is CallAction.BYE or action is CallAction.BYE_AGAIN:
                self._send_bye(now)
            elif action is CallAction.DROP_FORK and response is not None and peer is not None:
                self._drop_fork(response, peer)
            elif action is CallAction.REJECTED and response is not None:
                self._rejected(response, now)
            elif action is CallAction.FAILED:
                unsent = failure is Failure.NOT_SENT and self._cseq == 1
                self._give_up_at = None
                end(EndedBy.LOCAL if unsent else EndedBy.NOBODY, EndReason.NOT_SENT if unsent else EndReason.TIMER_B)
            elif action is CallAction.ENDED_HUNG_UP:
                end(EndedBy.LOCAL, EndReason.HUNG_UP, status=200)
            elif action is CallAction.ENDED_CROSSED:
                end(EndedBy.LOCAL, EndReason.CROSSED, status=200)
            elif action is CallAction.ENDED_BAD_ANSWER:
                end(EndedBy.LOCAL, EndReason.BAD_ANSWER, status=200)
            elif action is CallAction.ENDED_GAVE_UP:
                self._commands.append(Forget(request=self._invite))
                end(EndedBy.NOBODY, EndReason.CANCEL_UNANSWERED)
            elif action is CallAction.ENDED_REMOTE and request is not None:
                self.times = replace(self.times, bye=now)
                end(EndedBy.REMOTE, EndReason.HUNG_UP, status=200, q850=q850_cause(request))

    def _note(self, response: Response, now: float) -> None:
        status = response.status
        if not 180 <= status <= 189:
            if self.times.trying is None:
                self.times = replace(self.times, trying=now)
                self._events.append(Proceeding(call_id=self.call_id, status=status))
            return
        if (status, response.body) == self._last_alert:
            return
        self._last_alert = (status, response.body)
        sdp = usable_sdp(response.body) if response.body else None
        self._early_sdp = sdp or self._early_sdp
        self.times = replace(
            self.times,
            ringing=self.times.ringing if self.times.ringing is not None or status == 183 else now,
            early_media=self.times.early_media if self.times.early_media is not None or sdp is None else now,
        )
        self._events.append(Alerting(call_id=self.call_id, status=status, sdp=sdp))

    def _can_authorize(self, response: Response) -> bool:
        first = not self._authorizer.challenged
        if not self._authorizer.learn(response):
            return False
        # One answer to a challenge; a second only when the peer says that just the nonce was old.
        return first or (self._authorizer.stale and self._cseq == 2)

    def _send_invite(self) -> None:
        self._commands.append(StartTransaction(request=self._invite, destination=self._invitation.destination))

    def _cancel(self, now: float) -> None:
        self.times = replace(self.times, cancel=now)
        self._give_up_at = now + self._timing.timeout_seconds
        self._commands.append(
            StartTransaction(request=cancel_of(self._invite), destination=self._invitation.destination)
        )

    def _ack(self, response: Response, now: float) -> None:
        if self._session is None:
            return
        if self.times.answer is None:
            self.times = replace(self.times, answer=now, ack=now)
        self._give_up_at = None
        names = {"Authorization", "Proxy-Authorization"}
        credentials = tuple(pair for pair in self._invite.headers if pair[0] in names)
        dialog = self._session.dialog
        ack = dialog.ack(response.cseq.number, headers=credentials)
        self._commands.append(SendDirect(request=ack, destination=dialog.next_hop()))

    def _answered(self, sdp: SessionDescription) -> None:
        crossed = self.state is CallState.ENDING
        self._events.append(Answered(call_id=self.call_id, sdp=sdp, times=self.times, crossed_cancel=crossed))

    def _send_bye(self, now: float) -> None:
        if self._session is None:
            return
        self._session.stop()
        if self._bye is None:
            self.times = replace(self.times, bye=now)
        else:
            self._bye_authorized = True
        dialog = self._session.dialog
        self._bye = dialog.request("BYE", headers=self._authorizer.headers("BYE", dialog.request_uri()))
        self._commands.append(StartTransaction(request=self._bye, destination=dialog.next_hop()))

    def _drop_fork(self, response: Response, peer: Address) -> None:
        fork = dialog_of_answer(response, identity=self._identity, peer=peer)
        ack = fork.ack(response.cseq.number)
        self._commands.append(SendDirect(request=ack, destination=fork.next_hop()))
        if fork.id in self._dropped:
            return
        self._dropped.add(fork.id)
        bye = fork.request("BYE", headers=self._authorizer.headers("BYE", fork.request_uri()))
        self._commands.append(StartTransaction(request=bye, destination=fork.next_hop()))
        self._events.append(GhostEnded(call_id=self.call_id, forked=True))

    def _rejected(self, response: Response, now: float) -> None:
        cancelled = response.status == 487 and self.times.cancel is not None
        self._give_up_at = None
        self._end(
            now,
            EndedBy.LOCAL if cancelled else EndedBy.REMOTE,
            EndReason.CANCELLED if cancelled else EndReason.REJECTED,
            status=response.status,
            q850=q850_cause(response),
            retry_after_seconds=retry_after_seconds(response),
        )

    def _end(
        self,
        now: float,
        by: EndedBy,
        reason: EndReason,
        *,
        status: int | None = None,
        q850: int | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        self.times = replace(self.times, end=now)
        if self._session is not None:
            self._session.stop()
        self._events.append(
            Ended(
                call_id=self.call_id,
                by=by,
                reason=reason,
                status=status,
                q850=q850,
                retry_after_seconds=retry_after_seconds,
                times=self.times,
            )
        )

    def _next_invite(self) -> Request:
        self._cseq += 1
        return build_invite(
            self._invitation,
            identity=self._identity,
            tag=self.local_tag,
            cseq=self._cseq,
            credentials=self._authorizer.headers("INVITE", self._invitation.target),
        )

    def _flush(self) -> Effects:
        effects = Effects(commands=tuple(self._commands), events=tuple(self._events))
        self._commands.clear()
        self._events.clear()
        return effects
