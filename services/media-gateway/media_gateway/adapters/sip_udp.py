"""The SIP endpoint on a UDP socket, for asyncio or uvloop: one timer, no task."""

import asyncio
import ipaddress
import socket
from collections import deque
from collections.abc import Callable

from media_gateway.sip.endpoint import Endpoint, Output
from media_gateway.sip.events import Event
from media_gateway.sip.invitation import Invitation
from media_gateway.sip.sdp import SessionDescription
from media_gateway.sip.uri import Address

_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024


class SipUdp(asyncio.DatagramProtocol):
    """Wishes in, events out, on the loop's thread. Make one with open_sip_udp.

    Sending uses the socket itself and not the transport: only so is it known at once that a datagram was refused, and
    that an INVITE therefore surely did not leave. Receiving, and `now`, are the loop's.
    """

    def __init__(self, endpoint: Endpoint, on_event: Callable[[Event], None], udp: socket.socket) -> None:
        self._endpoint = endpoint
        self._on_event = on_event
        self._socket = udp
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._untold: deque[Event] = deque()
        self._telling = False
        self._transport: asyncio.BaseTransport | None = None
        self._closed = self._loop.create_future()

    @property
    def local_port(self) -> int:
        """The port that was bound."""
        return int(self._socket.getsockname()[1])

    @property
    def live_call_ids(self) -> frozenset[str]:
        """The calls that are under way, those whose BYE is not confirmed yet included."""
        return self._endpoint.live_call_ids

    @property
    def idle(self) -> bool:
        """No call and no transaction is left: a drained process may close."""
        return self._endpoint.idle

    def invite(self, invitation: Invitation) -> None:
        """Start an outgoing call; on_event may be called before this returns (NOT_SENT).

        Raises:
            LocalProtocolError: the Call-ID is in use.
        """
        self._perform(self._endpoint.invite(invitation, self._loop.time()))

    def hang_up(self, call_id: str) -> None:
        """Cancel or end a call, whatever its state; harmless when it is gone."""
        self._perform(self._endpoint.hang_up(call_id, self._loop.time()))

    def accept(self, call_id: str, sdp: SessionDescription) -> None:
        """Answer an IncomingCall.

        Raises:
            LocalProtocolError: it is not waiting for an answer (any more).
        """
        self._perform(self._endpoint.accept(call_id, sdp, self._loop.time()))

    def decline(self, call_id: str, status: int) -> None:
        """Refuse an IncomingCall with a status of 400..699; harmless when it is gone."""
        self._perform(self._endpoint.decline(call_id, status, self._loop.time()))

    async def close(self) -> None:
        """Stop the timer and close the socket. Calls are not hung up: drain first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.close()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop when the socket is closed."""
        if not self._closed.done():
            self._closed.set_result(None)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Called by the loop."""
        self._perform(self._endpoint.receive(data, (addr[0], addr[1]), self._loop.time()))

    def error_received(self, exc: Exception) -> None:
        """An ICMP error of some earlier datagram: it names no call, and the transactions' timers decide anyway."""

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = None
        self._perform(self._endpoint.handle_timers(self._loop.time()))

    def _perform(self, output: Output) -> None:
        events = list(output.events)
        pending = list(output.datagrams)
        while pending:
            datagram = pending.pop(0)
            if not self._send(datagram.data, datagram.destination):
                consequence = self._endpoint.not_sent(datagram, self._loop.time())
                events += consequence.events
                pending += consequence.datagrams
        self._arm()
        self._tell(events)

    def _tell(self, events: list[Event]) -> None:
        self._untold.extend(events)
        if self._telling:
            return  # the user made a wish inside on_event: what it caused comes after what is still untold
        self._telling = True
        try:
            while self._untold:
                self._on_event(self._untold.popleft())
        finally:
            self._telling = False

    def _send(self, data: bytes, destination: Address) -> bool:
        try:
            self._socket.sendto(data, destination)
        except OSError:  # no route, no permission, buffer full: the datagram did not leave
            return False
        return True

    def _arm(self) -> None:
        due_at = self._endpoint.next_timeout()
        if due_at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due_at
        self._timer = None if due_at is None else self._loop.call_at(due_at, self._on_timer)


async def open_sip_udp(endpoint: Endpoint, *, bind: Address, on_event: Callable[[Event], None]) -> SipUdp:
    """Bind a UDP socket and serve the endpoint on it.

    Args:
        endpoint: its identity should name this address, or one that reaches it.
        bind: an IP address and a port.
        on_event: called on the loop's thread for every event, after everything was sent.

    Raises:
        OSError: the address cannot be bound.
        ValueError: the host is not an IP address.
    """
    return await serve_sip_udp(endpoint, bind_udp(bind), on_event=on_event)


def bind_udp(bind: Address) -> socket.socket:
    """A socket on an IP address and a port; port 0 takes any, which the endpoint's identity then has to name.

    Raises:
        OSError: the address cannot be bound.
        ValueError: the host is not an IP address.
    """
    family = socket.AF_INET6 if ipaddress.ip_address(bind[0]).version == 6 else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        udp.bind(bind)
    except BaseException:
        udp.close()
        raise
    return udp


async def serve_sip_udp(endpoint: Endpoint, udp: socket.socket, *, on_event: Callable[[Event], None]) -> SipUdp:
    """Serve the endpoint on a bound socket, which is closed with it, or when that fails."""
    try:
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: SipUdp(endpoint, on_event, udp), sock=udp
        )
    except BaseException:
        udp.close()
        raise
    return protocol
