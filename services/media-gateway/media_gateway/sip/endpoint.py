"""One UDP socket's worth of SIP without the socket: owns all transactions and calls and routes between them."""

from dataclasses import dataclass, field

from media_gateway.sip.call import OutgoingCall
from media_gateway.sip.call_incoming import PhoneCall
from media_gateway.sip.dialog import ALLOW, DialogId, LocalIdentity, dialog_of_answer
from media_gateway.sip.digest import Authenticator, Verdict, username_of
from media_gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from media_gateway.sip.events import Discarded, DiscardReason, Event, GhostEnded, IncomingCall
from media_gateway.sip.invitation import Invitation
from media_gateway.sip.message import Headers, Request, Response, parse_message, respond
from media_gateway.sip.routing import Key, call_key, client_key, reply_address, server_key, stamp
from media_gateway.sip.sdp import SessionDescription
from media_gateway.sip.session import Effects, Forget, Reply, SendDirect, StartTransaction, usable_sdp
from media_gateway.sip.timers import TimerQueue, Timing
from media_gateway.sip.transaction_client import InviteClient, RequestClient
from media_gateway.sip.transaction_core import Step
from media_gateway.sip.transaction_server import InviteServer, InviteServerState, RequestServer
from media_gateway.sip.uri import Address, parse_uri

Call = OutgoingCall | PhoneCall


@dataclass(frozen=True, kw_only=True)
class Datagram:
    """Bytes to send. `transaction` is set on a request's first sending: report that one's failure with not_sent."""

    data: bytes = field(repr=False)
    destination: Address
    transaction: Key | None = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """What one input caused, each in order."""

    datagrams: tuple[Datagram, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Client:
    machine: InviteClient | RequestClient
    destination: Address
    owner: Call | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Server:
    machine: InviteServer | RequestServer
    destination: Address


class Endpoint:
    """Feed it datagrams, timers and wishes with the time; carry out what it returns.

    Args:
        identity: the address peers reach us under, which is also how our own Via is recognised.
        timing: RFC 3261's timers.
        authenticator: verifies phones that call us; without one every incoming call is refused with 403.
    """

    def __init__(
        self, *, identity: LocalIdentity, timing: Timing | None = None, authenticator: Authenticator | None = None
    ) -> None:
        self._identity = identity
        self._timing = timing or Timing()
        self._authenticator = authenticator
        self._sent_by = f"{identity.host.lower()}:{identity.port}"
        self._clients: dict[Key, _Client] = {}
        self._servers: dict[Key, _Server] = {}
        self._calls: dict[str, Call] = {}
        self._transactions_of: dict[str, int] = {}
        self._ghosts: dict[DialogId, Key] = {}
        self._timers: TimerQueue[Key] = TimerQueue()
        self._datagrams: list[Datagram] = []
        self._events: list[Event] = []

    @property
    def live_call_ids(self) -> frozenset[str]:
        """The calls that are under way, those whose BYE is not confirmed yet included."""
        return frozenset(call_id for call_id, call in self._calls.items() if not call.ended)

    @property
    def idle(self) -> bool:
        """No call and no transaction is left, not even to absorb repeats."""
        return not (self._calls or self._clients or self._servers)

    def invite(self, invitation: Invitation, now: float) -> Output:
        """Start an outgoing call.

        Raises:
            LocalProtocolError: the Call-ID is in use.
        """
        if invitation.call_id in self._calls:
            raise LocalProtocolError("a Call-ID is used once")
        call = OutgoingCall(invitation, identity=self._identity, timing=self._timing)
        self._calls[call.call_id] = call
        self._carry_out(call, call.start(now), now)
        return self._output()

    def hang_up(self, call_id: str, now: float) -> Output:
        """Cancel or end a call, whatever its state. One that is gone already is not an error: ends cross."""
        call = self._calls.get(call_id)
        if call is not None:
            self._carry_out(call, call.hang_up(now), now)
        return self._output()

    def accept(self, call_id: str, sdp: SessionDescription, now: float) -> Output:
        """Answer an IncomingCall.

        Raises:
            LocalProtocolError: it is not waiting for an answer (any more).
        """
        call = self._calls.get(call_id)
        if not isinstance(call, PhoneCall):
            raise LocalProtocolError("no such incoming call")
        self._carry_out(call, call.accept(sdp, now), now)
        return self._output()

    def decline(self, call_id: str, status: int, now: float) -> Output:
        """Refuse an IncomingCall with a status of 400..699; harmless when it is gone."""
        call = self._calls.get(call_id)
        if isinstance(call, PhoneCall):
            self._carry_out(call, call.hang_up(now, status), now)
        return self._output()

    def not_sent(self, datagram: Datagram, now: float) -> Output:
        """The local socket refused a datagram: an INVITE's first sending ends its call, all else is repeated anyway."""
        key = datagram.transaction
        record = self._clients.get(key) if key is not None else None
        if key is not None and record is not None:
            self._step_client(key, record, record.machine.unsent(now), record.destination, now)
        return self._output()

    def receive(self, data: bytes, source: Address, now: float) -> Output:
        """Take one datagram. Whatever it holds, this raises nothing: garbage becomes a Discarded event."""
        if data.strip(b"\r\n\x00 "):  # else a keep-alive (RFC 5626 section 3.5.1)
            try:
                message = parse_message(data)
                if isinstance(message, Response):
                    self._on_response(message, source, now)
                else:
                    self._on_request(stamp(message, source), source, now)
            except RemoteProtocolError:
                self._discard(DiscardReason.MALFORMED, source)
        return self._output()

    def next_timeout(self) -> float | None:
        """When handle_timers is wanted, None when nothing waits."""
        return self._timers.next_deadline()

    def handle_timers(self, now: float) -> Output:
        """Fire everything that is due."""
        while (key := self._timers.pop_due(now)) is not None:
            client, server = self._clients.get(key), self._servers.get(key)
            if client is not None:
                self._step_client(key, client, client.machine.handle_timers(now), client.destination, now)
            elif server is not None:
                self._step_server(key, server, server.machine.handle_timers(now))
            elif key[0] == "call" and key[1] in self._calls:
                call = self._calls[key[1]]
                self._carry_out(call, call.handle_timers(now), now)
        return self._output()

    def _on_response(self, response: Response, source: Address, now: float) -> None:
        if response.via.sent_by != self._sent_by:
            self._discard(DiscardReason.NOT_OURS, source)
            return
        key = client_key(response)
        record = self._clients.get(key)
        if record is not None:
            self._step_client(key, record, record.machine.receive(response, now), source, now)
        elif response.cseq.method == "INVITE" and 200 <= response.status < 300:
            self._on_stray_answer(response, source, now)
        else:
            self._discard(DiscardReason.UNMATCHED, source)

    def _on_stray_answer(self, response: Response, source: Address, now: float) -> None:
        call = self._calls.get(response.call_id)
        if isinstance(call, OutgoingCall) and call.local_tag == response.from_tag:
            self._carry_out(call, call.on_stray_answer(response, source, now), now)
            return
        # Somebody answered a call of an earlier life of this process: nobody would ever hang it up.
        dialog = dialog_of_answer(response, identity=self._identity, peer=source)
        self._send(dialog.ack(response.cseq.number).to_bytes(), dialog.next_hop())
        if self._ghosts.get(dialog.id) in self._clients:
            return
        bye = dialog.request("BYE")
        self._ghosts = {ghost: key for ghost, key in self._ghosts.items() if key in self._clients}
        self._ghosts[dialog.id] = client_key(bye)
        self._start(StartTransaction(request=bye, destination=dialog.next_hop()), None, now)
        self._events.append(GhostEnded(call_id=response.call_id, forked=False))

    def _on_request(self, request: Request, source: Address, now: float) -> None:
        key = server_key(request)
        record = self._servers.get(key)
        if request.method == "ACK":
            self._on_ack(key, record, request, source, now)
            return
        if record is not None:
            self._step_server(key, record, record.machine.retransmitted(now))
            return
        machine = (InviteServer if request.method == "INVITE" else RequestServer)(request, timing=self._timing)
        self._servers[key] = _Server(machine=machine, destination=reply_address(request, source))
        try:
            self._on_new_request(request, source, now)
        except RemoteProtocolError:
            self._discard(DiscardReason.MALFORMED, source)
            self._reply(request, 400, now)

    def _on_new_request(self, request: Request, source: Address, now: float) -> None:
        if request.method == "CANCEL":
            self._on_cancel(request, now)
        elif request.to_tag:
            self._on_dialog_request(request, now)
        elif request.method == "INVITE":
            self._on_new_call(request, source, now)
        elif request.method == "OPTIONS":
            self._reply(request, 200, now, (("Allow", ALLOW), ("Accept", "application/sdp")))
        else:
            self._reply(request, 405, now, (("Allow", ALLOW),))

    def _on_ack(self, key: Key, record: _Server | None, request: Request, source: Address, now: float) -> None:
        # A careless peer sends the ACK to a 2xx under the INVITE's branch; it is the call's all the same.
        refused = record is not None and record.machine.state is not InviteServerState.ACCEPTED
        call = self._calls.get(request.call_id)
        if refused and record is not None and isinstance(record.machine, InviteServer):
            self._step_server(key, record, record.machine.acked(now))
        elif call is not None and call.local_tag == request.to_tag:
            self._carry_out(call, call.on_ack(request, now), now)
        else:
            self._discard(DiscardReason.UNMATCHED, source)

    def _on_cancel(self, request: Request, now: float) -> None:
        if server_key(request, "INVITE") not in self._servers:
            self._reply(request, 481, now)
            return
        call = self._calls.get(request.call_id)
        self._reply(request, 200, now)
        if isinstance(call, PhoneCall):
            self._carry_out(call, call.on_cancel(now), now)

    def _on_dialog_request(self, request: Request, now: float) -> None:
        call = self._calls.get(request.call_id)
        if call is None or call.local_tag != request.to_tag:
            self._reply(request, 481, now)
        else:
            self._carry_out(call, call.on_request(request, now), now)

    def _on_new_call(self, request: Request, source: Address, now: float) -> None:
        refusal = self._refusal(request, source, now)
        if refusal is not None:
            self._reply(request, refusal[0], now, refusal[1])
            return
        call = PhoneCall(request, peer=source, identity=self._identity, timing=self._timing, now=now)
        self._reply(request, 100, now)
        self._calls[call.call_id] = call
        self._events.append(
            IncomingCall(
                call_id=call.call_id,
                username=username_of(request.first("Authorization")),
                called=parse_uri(request.uri).user or "",
                sdp=usable_sdp(request.body) if request.body else None,
                source=source,
            )
        )

    def _refusal(self, request: Request, source: Address, now: float) -> tuple[int, Headers] | None:
        if request.call_id in self._calls:
            return 482, ()  # the same call over two ways (RFC 3261 section 8.2.2.2)
        if self._authenticator is None:
            return 403, ()
        verification = self._authenticator.verify(request.first("Authorization"), method="INVITE", now=now)
        if verification.verdict is not Verdict.ACCEPTED:
            if verification.verdict is Verdict.WRONG:
                self._discard(DiscardReason.UNAUTHENTICATED, source)
            stale = verification.verdict is Verdict.STALE
            return 401, (("WWW-Authenticate", self._authenticator.challenge(now, stale=stale)),)
        if required := request.every("Require"):
            return 420, (("Unsupported", ", ".join(required)),)
        if request.body and usable_sdp(request.body) is None:
            return 488, ()
        return None

    def _carry_out(self, call: Call, effects: Effects, now: float) -> None:
        self._events += effects.events
        for command in effects.commands:
            if isinstance(command, StartTransaction):
                self._start(command, call, now)
            elif isinstance(command, SendDirect):
                self._send(command.request.to_bytes(), command.destination)
            elif isinstance(command, Forget):
                self._drop_client(client_key(command.request))
            else:
                self._respond(command, now)
        self._settle(call)

    def _settle(self, call: Call) -> None:
        if call.ended and not self._transactions_of.get(call.call_id):
            self._calls.pop(call.call_id, None)
            self._timers.schedule(call_key(call.call_id), None)
        else:
            self._timers.schedule(call_key(call.call_id), call.next_timeout())

    def _start(self, command: StartTransaction, owner: Call | None, now: float) -> None:
        request = command.request
        machine = (InviteClient if request.method == "INVITE" else RequestClient)(request, timing=self._timing)
        key = client_key(request)
        self._clients[key] = _Client(machine=machine, destination=command.destination, owner=owner)
        if owner is not None:
            self._transactions_of[owner.call_id] = self._transactions_of.get(owner.call_id, 0) + 1
        for data in machine.start(now).send:
            self._datagrams.append(Datagram(data=data, destination=command.destination, transaction=key))
        self._timers.schedule(key, machine.next_timeout())

    def _step_client(self, key: Key, record: _Client, step: Step, source: Address, now: float) -> None:
        machine, owner = record.machine, record.owner
        for data in step.send:
            self._send(data, record.destination)
        self._timers.schedule(key, machine.next_timeout())
        if machine.terminated:
            self._drop_client(key)
        if owner is None:
            return
        if step.deliver is not None:
            self._carry_out(owner, owner.on_response(machine.request, step.deliver, source, now), now)
        if step.failure is not None:
            self._carry_out(owner, owner.on_failure(machine.request, step.failure, now), now)
        self._settle(owner)

    def _drop_client(self, key: Key) -> None:
        record = self._clients.pop(key, None)
        self._timers.schedule(key, None)
        if record is not None and record.owner is not None:
            call_id = record.owner.call_id
            self._transactions_of[call_id] -= 1
            if not self._transactions_of[call_id]:
                del self._transactions_of[call_id]

    def _step_server(self, key: Key, record: _Server, step: Step) -> None:
        for data in step.send:
            self._send(data, record.destination)
        self._timers.schedule(key, record.machine.next_timeout())
        if record.machine.terminated:
            self._servers.pop(key, None)

    def _respond(self, command: Reply, now: float) -> None:
        key = server_key(command.request)
        record = self._servers.get(key)
        if record is not None:
            self._step_server(key, record, record.machine.respond(command.response, now))

    def _reply(self, request: Request, status: int, now: float, headers: Headers = ()) -> None:
        tag = self._identity.new_token() if status > 100 else ""
        answer = respond(request, status, to_tag=tag, headers=(*headers, self._identity.agent("Server")))
        self._respond(Reply(request=request, response=answer), now)

    def _send(self, data: bytes, destination: Address) -> None:
        self._datagrams.append(Datagram(data=data, destination=destination))

    def _discard(self, reason: DiscardReason, source: Address) -> None:
        self._events.append(Discarded(reason=reason, source=source))

    def _output(self) -> Output:
        output = Output(datagrams=tuple(self._datagrams), events=tuple(self._events))
        self._datagrams.clear()
        self._events.clear()
        return output
