"""What the four transaction machines share: a table, deadlines and a way to act out a cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.message import Response
from media_gateway.sip.timers import Timing

StateT = TypeVar("StateT", bound=StrEnum)
EventT = TypeVar("EventT", bound=StrEnum)


class Action(StrEnum):
    """What a cell of a transaction table asks for besides the next state."""

    SEND = "send"  # the request (client) or the newest response (server), again or for the first time
    ACK = "ack"  # acknowledge a failure
    DELIVER = "deliver"  # hand the response to the transaction's user
    BACK_OFF = "back_off"  # double the retransmission interval, up to T2 where the RFC caps it
    SLOW = "slow"  # retransmit every T2 from now on
    TIMED_OUT = "timed_out"  # tell the user that nobody answered
    UNSENT = "unsent"  # tell the user that the local socket refused the datagram


class Failure(StrEnum):
    """Why a transaction ended without a final message from the peer."""

    TIMER_B = "timer_b"  # INVITE client: no response at all
    TIMER_F = "timer_f"  # other client: no final response
    TIMER_H = "timer_h"  # INVITE server: our refusal was never acknowledged
    NOT_SENT = "not_sent"  # the local socket refused the only datagram: nothing left this machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The outcome of one input: datagrams to send in order, a response for the user, a failure."""

    send: tuple[bytes, ...] = ()
    deliver: Response | None = None
    failure: Failure | None = None


Table = Mapping[tuple[StateT, EventT], tuple[StateT, tuple[Action, ...]]]


class Transaction(Generic[StateT, EventT]):
    """A table walked by events; timers live and die with the state that lists them.

    A timer that both the old and the new state list keeps running (timer F through Proceeding), all others are
    cancelled on leaving the state.
    """

    table: Table[StateT, EventT]
    failure: Failure

    def __init__(self, *, state: StateT, timing: Timing) -> None:
        self.state = state
        self._timing = timing
        self._deadlines: dict[EventT, float] = {}

    def next_timeout(self) -> float | None:
        """When handle_timers is wanted next, None when no timer runs."""
        return min(self._deadlines.values(), default=None)

    def handle_timers(self, now: float) -> Step:
        """Fire every timer that is due, earliest first."""
        sent: tuple[bytes, ...] = ()
        failure: Failure | None = None
        while due := [(at, timer) for timer, at in self._deadlines.items() if at <= now]:
            timer = min(due)[1]
            del self._deadlines[timer]
            step = self._fire(timer, now)
            sent, failure = sent + step.send, failure or step.failure
        return Step(send=sent, failure=failure)

    def _durations(self, state: StateT) -> dict[EventT, float]:
        """The timers of a state and their seconds."""
        raise LocalProtocolError(f"{type(self).__name__} states no timers for {state}")

    def _datagrams(self, action: Action, response: Response | None) -> tuple[bytes, ...]:
        raise LocalProtocolError(f"{type(self).__name__} cannot {action} {type(response).__name__}")

    def _interval(self, action: Action) -> tuple[EventT, float]:
        raise LocalProtocolError(f"{type(self).__name__} cannot {action}")

    def _fire(self, event: EventT, now: float, response: Response | None = None) -> Step:
        cell = self.table.get((self.state, event))
        if cell is None:
            raise LocalProtocolError(f"{type(self).__name__}: no cell for {event} in {self.state}")
        state, actions = cell
        if state is not self.state:
            self._enter(state, now)
        sent: tuple[bytes, ...] = ()
        failure: Failure | None = None
        for action in actions:
            if action in {Action.SEND, Action.ACK}:
                sent += self._datagrams(action, response)
            elif action in {Action.BACK_OFF, Action.SLOW}:
                timer, seconds = self._interval(action)
                self._deadlines[timer] = now + seconds
            elif action is Action.TIMED_OUT:
                failure = self.failure
            elif action is Action.UNSENT:
                failure = Failure.NOT_SENT
        return Step(send=sent, deliver=response if Action.DELIVER in actions else None, failure=failure)

    def _enter(self, state: StateT, now: float) -> None:
        self.state = state
        running = self._deadlines
        self._deadlines = {
            timer: running.get(timer, now + seconds) for timer, seconds in self._durations(state).items()
        }
