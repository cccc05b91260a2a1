"""One incoming call of an agent's phone (a nailed-up leg): already authenticated, answered when its user says so."""

from dataclasses import replace

from media_gateway.sip.call_table import INCOMING_TABLE, IncomingAction, IncomingInput, IncomingState, look_up
from media_gateway.sip.dialog import LocalIdentity, dialog_of_invite
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import CallEvent, CallTimes, Connected, Ended, EndedBy, EndReason
from media_gateway.sip.message import Request, Response, respond
from media_gateway.sip.reason import q850_cause
from media_gateway.sip.sdp import SessionDescription
from media_gateway.sip.session import Command, Effects, Reply, Session, StartTransaction, gone
from media_gateway.sip.timers import Timing
from media_gateway.sip.transaction_core import Failure
from media_gateway.sip.uri import Address

_WITHDRAWN = (EndedBy.REMOTE, EndReason.WITHDRAWN)
_ENDS = {
    IncomingAction.TERMINATE: _WITHDRAWN,
    IncomingAction.DECLINE: (EndedBy.LOCAL, EndReason.DECLINED),
    IncomingAction.ENDED_HUNG_UP: (EndedBy.LOCAL, EndReason.HUNG_UP),
    IncomingAction.ENDED_REMOTE: (EndedBy.REMOTE, EndReason.HUNG_UP),
    IncomingAction.ENDED_UNACKNOWLEDGED: (EndedBy.NOBODY, EndReason.ACK_TIMEOUT),
}


class PhoneCall:
    """The transaction user of one received INVITE and of the dialog that our 200 makes.

    Raises:
        RemoteProtocolError: the INVITE has no readable Contact or Record-Route.
    """

    def __init__(self, invite: Request, *, peer: Address, identity: LocalIdentity, timing: Timing, now: float) -> None:
        self.call_id = invite.call_id
        self.local_tag = identity.new_token()
        self.state = IncomingState.OFFERED
        self.times = CallTimes(invite=now)
        self._invite = invite
        self._identity = identity
        self._timing = timing
        self._dialog = dialog_of_invite(invite, local_tag=self.local_tag, identity=identity, peer=peer)
        self._session: Session | None = None
        self._bye: Request | None = None
        self._commands: list[Command] = []
        self._events: list[CallEvent] = []

    @property
    def ended(self) -> bool:
        """Ended was told and nothing of our own is under way."""
        return self.state is IncomingState.ENDED

    def accept(self, sdp: SessionDescription, now: float) -> Effects:
        """200 with our description.

        Raises:
            LocalProtocolError: the call is not waiting for an answer (any more).
        """
        session = Session(dialog=self._dialog, identity=self._identity, local_sdp=sdp, timing=self._timing)
        self._fire(IncomingInput.ACCEPT, now, session=session)
        return self._flush()

    def hang_up(self, now: float, status: int = 480) -> Effects:
        """End the call from our side: the given status before our answer, BYE after the ACK. Harmless when ended."""
        self._fire(IncomingInput.LOCAL_END, now, status=status)
        return self._flush()

    def on_cancel(self, now: float) -> Effects:
        """The phone withdraws its INVITE."""
        self._fire(IncomingInput.CANCEL, now)
        return self._flush()

    def on_ack(self, request: Request, now: float) -> Effects:
        """The ACK to a 200 of ours."""
        sdp = self._session.acknowledged(request) if self._session is not None else None
        self._fire(IncomingInput.ACK, now, sdp=sdp)
        return self._flush()

    def on_request(self, request: Request, now: float) -> Effects:
        """Answer a request that carries our tag: 481 outside the dialog, 500 out of sequence."""
        if request.from_tag != self._dialog.id.remote_tag or self.ended:
            return gone(request)
        if not self._dialog.takes(request):
            return Effects(commands=(Reply(request=request, response=respond(request, 500)),))
        if request.method == "BYE":
            self._commands.append(Reply(request=request, response=respond(request, 200)))
            self._fire(IncomingInput.REMOTE_BYE, now, request=request)
            return self._flush()
        if self._session is None or self.state is IncomingState.ENDING:
            return gone(request)
        return self._session.on_request(request, now)

    def on_response(self, request: Request, response: Response, peer: Address, now: float) -> Effects:
        """The answer to our BYE."""
        if request is self._bye and response.status >= 200:
            self._fire(IncomingInput.BYE_DONE, now)
        return self._flush()

    def on_failure(self, request: Request, failure: Failure, now: float) -> Effects:
        """Our BYE was never answered."""
        self._fire(IncomingInput.BYE_DONE, now)
        return self._flush()

    def next_timeout(self) -> float | None:
        """When handle_timers is wanted next."""
        return self._session.next_timeout() if self._session else None

    def handle_timers(self, now: float) -> Effects:
        """Repeat our 200; give up when its ACK never comes."""
        if self._session is not None:
            commands, overdue = self._session.handle_timers(now)
            self._commands += commands
            if overdue:
                self._fire(IncomingInput.ACK_TIMEOUT, now)
        return self._flush()

    def _fire(
        self,
        event: IncomingInput,
        now: float,
        *,
        request: Request | None = None,
        session: Session | None = None,
        sdp: SessionDescription | None = None,
        status: int = 487,
    ) -> None:
        self.state, actions = look_up(INCOMING_TABLE, self.state, event)
        for action in actions:
            if action is IncomingAction.ACCEPT:
                self._accept(session, now)
            elif action is IncomingAction.CONNECTED:
                self.times = replace(self.times, ack=now)
                self._events.append(Connected(call_id=self.call_id, sdp=sdp, times=self.times))
            elif action is IncomingAction.BYE:
                self._send_bye(now)
            elif action in {IncomingAction.DECLINE, IncomingAction.TERMINATE}:
                refusal = respond(self._invite, status, to_tag=self.local_tag)
                self._commands.append(Reply(request=self._invite, response=refusal))
            if action in _ENDS:
                self._end(*_ENDS[action], request, now)

    def _accept(self, session: Session | None, now: float) -> None:
        if session is None:
            raise LocalProtocolError("accepting needs a description")
        self._session = session
        self.times = replace(self.times, answer=now)
        self._commands.append(session.accept(self._invite, now))

    def _send_bye(self, now: float) -> None:
        self.times = replace(self.times, bye=now)
        self._bye = self._dialog.request("BYE")
        self._commands.append(StartTransaction(request=self._bye, destination=self._dialog.next_hop()))

    def _end(self, by: EndedBy, reason: EndReason, request: Request | None, now: float) -> None:
        remote_bye = now if reason is EndReason.HUNG_UP and by is EndedBy.REMOTE else self.times.bye
        self.times = replace(self.times, bye=remote_bye, end=now)
        if self._session is not None:
            self._session.stop()
        cause = q850_cause(request) if request is not None else None
        self._events.append(Ended(call_id=self.call_id, by=by, reason=reason, q850=cause, times=self.times))

    def _flush(self) -> Effects:
        effects = Effects(commands=tuple(self._commands), events=tuple(self._events))
        self._commands.clear()
        self._events.clear()
        return effects
