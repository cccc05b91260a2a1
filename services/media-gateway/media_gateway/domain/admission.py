"""What a gateway checks before it redeems a call.dial: cheap, local, and refused without any trace at the gate."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from outdial_contracts.events import CallDial, DialRefusal, Route, Transport, Trunk

BURST_SECONDS = 0.2
"""A carrier counts calls per second: within any second a trunk gets at most 1.2 times its cap."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The clearance's claims that bind a call; times are aware UTC."""

    attempt_id: str
    country: str
    number_class: str
    modes: frozenset[str]
    """CallMode symbols."""
    agent_guaranteed: bool
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How the gateway stands at this instant."""

    now: datetime
    draining: bool
    free_channels: int
    shifted_clock: bool
    owner_epoch: int
    """Newest epoch known of the team; 0 when none is."""
    owned_caller_ids: frozenset[str] | None = None
    """None where no list of our numbers was published."""


@dataclass(kw_only=True)
class TrunkLoad:
    """Live calls of one trunk and its bucket of new calls (smoothed: at most a fifth of a second's worth at once)."""

    live: int = 0
    tokens: float = 1.0
    filled_at: float = 0.0

    def take(self, trunk: Trunk, monotonic_seconds: float) -> bool:
        """One call's worth out of the bucket, if it holds one."""
        burst = max(1.0, trunk.calls_per_second * BURST_SECONDS)
        gained = (monotonic_seconds - self.filled_at) * trunk.calls_per_second
        self.tokens = min(burst, self.tokens + max(0.0, gained))
        self.filled_at = monotonic_seconds
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


def refusal_of(dial: CallDial, claims: Claims | None, route: Route | None, limits: Limits) -> DialRefusal | None:
    """Why this gateway does not even ask the gate, or None. `claims` is None for a forged or unreadable clearance."""
    if limits.draining:
        return DialRefusal.DRAINING
    if dial.owner_epoch < limits.owner_epoch:
        return DialRefusal.STALE_OWNER
    if limits.now >= dial.expires_at:
        return DialRefusal.EXPIRED
    if claims is None or claims.attempt_id != dial.attempt_id:
        return DialRefusal.BAD_CLEARANCE
    if limits.now >= claims.expires_at:
        return DialRefusal.EXPIRED
    if dial.mode.value not in claims.modes or (claims.agent_guaranteed and dial.agent_id is None):
        return DialRefusal.MODE
    if route is None or not any(is_usable(trunk) for trunk in route.trunks):
        return DialRefusal.NO_ROUTE
    if claims.country not in route.countries or claims.number_class not in route.number_classes:
        return DialRefusal.POLICY
    if limits.owned_caller_ids is not None and dial.caller_id not in limits.owned_caller_ids:
        return DialRefusal.POLICY
    if limits.shifted_clock and not all(is_loopback(trunk.host) for trunk in route.trunks):
        return DialRefusal.SHIFTED_CLOCK
    return DialRefusal.CAPACITY if limits.free_channels <= 0 else None


def is_usable(trunk: Trunk) -> bool:
    """We speak UDP to an IP address; a name would be looked up in the middle of a grant. Weight 0 takes no calls."""
    return trunk.transport is Transport.UDP and trunk.weight > 0 and _address(trunk.host) is not None


def is_loopback(host: str) -> bool:
    """True for an address within 127.0.0.0/8 or ::1; a name is never trusted to be one."""
    address = _address(host)
    return address is not None and address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def choose_trunk(
    route: Route, loads: Mapping[str, TrunkLoad], monotonic_seconds: float
) -> tuple[Trunk | None, DialRefusal]:
    """The trunk whose next call keeps the shares nearest the weights, among those with a channel and a token.

    Returns:
        The trunk; or None, and whether channels or tokens were missing.
    """
    open_trunks = [t for t in route.trunks if is_usable(t) and loads[t.trunk_id].live < t.channels]
    for trunk in sorted(open_trunks, key=lambda t: (loads[t.trunk_id].live + 1) / t.weight):
        if loads[trunk.trunk_id].take(trunk, monotonic_seconds):
            return trunk, DialRefusal.UNKNOWN
    return None, DialRefusal.CPS if open_trunks else DialRefusal.CAPACITY
