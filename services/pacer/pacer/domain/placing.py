"""Where and from which number a call is placed: the gateway near the agents' legs, the number its person knows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from pacer.domain.state import Campaign, Gateway, Offer, TeamState

NUMBER_GAP_SECONDS = 1.0
"""A person's own number is passed over for another if it was dialled from within so long."""


def choose_number(
    campaign: Campaign, offer: Offer, stops: Mapping[str, str], used_at: Mapping[str, datetime], now: datetime
) -> str | None:
    """The number to show: the one this person always sees, or the least recently used if that one is hot.

    Only numbers that the offer's clearance admits: with any other the gate would refuse the call (CALLER_ID).

    Args:
        used_at: last use of each number, this decision included.
    """
    pool = campaign.document.caller_ids if campaign.document is not None else ()
    admitted = [n for n in pool if not offer.caller_id_prefixes or n.startswith(offer.caller_id_prefixes)]
    usable = [number for number in admitted if f"number:{number}" not in stops]
    if not usable:
        return None
    preferred = max(usable, key=lambda number: _affinity(offer.person_token, number))
    never = datetime.min.replace(tzinfo=now.tzinfo)
    if used_at.get(preferred, never) + timedelta(seconds=NUMBER_GAP_SECONDS) <= now:
        return preferred
    return min(usable, key=lambda number: (used_at.get(number, never), number))


class Channels:
    """Free channels during one decision."""

    def __init__(self, state: TeamState, now: datetime) -> None:
        self._fresh = state.fresh_gateways(now)
        self._free = {g.gateway_id: state.free_channels(g) for g in self._fresh}
        self._full = {g.gateway_id for g in self._fresh if g.full_until is not None and g.full_until > now}
        self._legs = Counter(a.gateway_id for a in state.agents.values() if a.gateway_id is not None and a.on_duty)
        self._out = Counter(call.gateway_id for call in state.calls.values() if call.undecided)

    @property
    def any_gateway(self) -> bool:
        """Whether any gateway is heard and takes calls."""
        return bool(self._fresh)

    @property
    def free(self) -> int:
        """Channels free on gateways that may be asked now."""
        return sum(max(free, 0) for name, free in self._free.items() if name not in self._full)

    def take(self, near: str | None = None) -> Gateway | None:
        """Leases a channel: at the reserved agent's gateway, or where the fewest calls are out per agent's leg."""
        usable = [g for g in self._fresh if self._free[g.gateway_id] > 0 and g.gateway_id not in self._full]
        if not usable:
            return None
        chosen = min(usable, key=lambda g: (g.gateway_id != near, *self._rank(g)))
        self._free[chosen.gateway_id] -= 1
        self._out[chosen.gateway_id] += 1
        return chosen

    def _rank(self, gateway: Gateway) -> tuple[float, int, str]:
        name = gateway.gateway_id
        return (self._out[name] + 1) / (self._legs[name] + 0.01), -self._free[name], name


def _affinity(person_token: str, number: str) -> bytes:
    """Rendezvous hashing: adding a number moves only the persons who come to it."""
    return hashlib.sha256(f"{person_token}|{number}".encode()).digest()
