"""The carrier with everybody who can be called, and each gateway's trunks to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from media_gateway.ports import MediaLeg
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import CallEvent, CallTimes, Ended, EndedBy, EndReason
from outdial_contracts.events import Trunk
from outdial_world.history import Invite
from outdial_world.ports.air import Air, Wire
from outdial_world.ports.called import CalledParty
from outdial_world.ports.callees import CalleePlan
from outdial_world.ports.line import CarrierEnd, GatewayEnd


class Behind(Protocol):
    """Puts somebody behind the carrier's end of a new call; for tests that script the called side."""

    def __call__(self, end: CarrierEnd, invite: Invite, plan: CalleePlan, ear: tuple[str, int]) -> None: ...


class Carrier:
    """One for a run: what happens to a callee's phone goes on when the gateway that called it dies."""

    def __init__(
        self,
        air: Air,
        *,
        plan_of: Callable[[str, str], CalleePlan],
        persons: Mapping[str, str],
        now: Callable[[], datetime],
        next_seq: Callable[[], int],
        tell: Callable[[str, str, str, str], None] = lambda who, what, attempt_id, person_id: None,
        behind: Behind | None = None,
    ) -> None:
        """Seats everybody.

        Args:
            plan_of: (Call-ID, number) -> what the callee will do.
            persons: number -> person_id.
            next_seq: the history's counter.
            tell: (who, what, attempt_id, person_id): what a callee did beyond ringing and hanging up.
            behind: in place of the simulated callees.
        """
        self.invites: list[Invite] = []
        """Every new Call-ID, in order."""
        self._air, self._plan_of, self._persons = air, plan_of, persons
        self._now, self._next_seq, self._tell = now, next_seq, tell
        self._behind: Behind = behind or self._seat

    def trunks(self, *, gateway: str, boot_id: str) -> WorldTrunks:
        """The trunks of one boot of a gateway."""
        return WorldTrunks(self, gateway, boot_id)

    def invited(
        self, near: GatewayEnd, wires: tuple[Wire, Wire], invite: Invite, plan: CalleePlan, ear: tuple[str, int]
    ) -> None:
        """An INVITE is on its way."""
        self.invites.append(invite)
        far = CarrierEnd(near, wires[1], honours_cancel=plan.honours_cancel)
        near.far = far
        wires[0].send(lambda: self._behind(far, invite, plan, ear))

    def note(
        self, *, call_id: str, gateway: str, boot_id: str, trunk_id: str, number: str, caller_id: str, behaviour: str
    ) -> Invite:
        """A fresh record of an INVITE that leaves now."""
        attempt_id, _, rest = call_id.partition(".")
        return Invite(
            seq=self._next_seq(),
            at=self._now(),
            call_id=call_id,
            attempt_id=attempt_id,
            leg_no=int(rest.partition("@")[0]),
            gateway=gateway,
            boot_id=boot_id,
            trunk_id=trunk_id,
            number=number,
            person_id=self._persons.get(number, ""),
            caller_id=caller_id,
            behaviour=behaviour,
        )

    def moment(self) -> datetime:
        """Now."""
        return self._now()

    def plan(self, call_id: str, number: str) -> CalleePlan:
        """What the callee of this call will do."""
        return self._plan_of(call_id, number)

    def _seat(self, end: CarrierEnd, invite: Invite, plan: CalleePlan, ear: tuple[str, int]) -> None:
        CalledParty(end, invite, plan, self._air, ear, self._now, self._tell).begin()


class WorldTrunks:
    """Implements media_gateway.ports.Trunks for one boot of a gateway."""

    def __init__(self, carrier: Carrier, gateway: str, boot_id: str) -> None:
        self._carrier, self._gateway, self._boot_id = carrier, gateway, boot_id
        self._calls: dict[str, tuple[GatewayEnd, Invite]] = {}
        self.refuses = False
        """The socket takes no datagram."""
        self.dead = False

    def place(
        self,
        *,
        call_id: str,
        trunk: Trunk,
        number: str,
        caller_id: str,
        traceparent: str,
        leg: MediaLeg,
        on_event: Callable[[CallEvent], None],
    ) -> GatewayEnd:
        """Sends the INVITE now.

        Raises:
            OSError: the socket refused it: nobody was called.
            LocalProtocolError: the Call-ID is in use.
        """
        self._forget_ended()
        if call_id in self._calls:
            raise LocalProtocolError("this Call-ID is in use")
        if self.refuses or self.dead:
            on_event(_not_sent(call_id))
            raise OSError("the socket refused the INVITE")
        plan = self._carrier.plan(call_id, number)
        wires = Wire(plan.latency_seconds), Wire(plan.latency_seconds)
        near = GatewayEnd(call_id, on_event, wires[0])
        invite = self._carrier.note(
            call_id=call_id,
            gateway=self._gateway,
            boot_id=self._boot_id,
            trunk_id=trunk.trunk_id,
            number=number,
            caller_id=caller_id,
            behaviour=plan.behaviour.value,
        )
        self._calls[call_id] = near, invite
        self._carrier.invited(near, wires, invite, plan, (leg.local_host, leg.local_port))
        return near

    @property
    def live_call_ids(self) -> frozenset[str]:
        """Calls under way, those whose BYE is not confirmed yet included."""
        self._forget_ended()
        return frozenset(self._calls)

    def die(self) -> None:
        """The gateway is gone; whoever was called notices by the silence."""
        self.dead = True
        for near, invite in self._calls.values():
            near.die()
            if near.live and invite.ended_at is None:
                invite.orphaned_at = self._carrier.moment()
                if near.far is not None and isinstance(near.far.behind, CalledParty):
                    near.far.behind.line_fell_silent()

    def _forget_ended(self) -> None:
        self._calls = {call_id: call for call_id, call in self._calls.items() if call[0].live}


def _not_sent(call_id: str) -> Ended:
    return Ended(call_id=call_id, by=EndedBy.LOCAL, reason=EndReason.NOT_SENT, times=CallTimes())
