"""State, decisions and the pacer's own inputs as JSON, byte for byte the same for the same content."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from pacer.domain.inputs import AgentGiven, Decision, Tick
from pacer.domain.state import TeamState

_encoder = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A team's state; `teams` names all teams of the partition that were written along with it."""

    teams: tuple[str, ...]
    state: TeamState


@dataclass(frozen=True, kw_only=True)
class OwnInput:
    """An input that came from no topic; exactly one is set."""

    tick: Tick | None = None
    given: AgentGiven | None = None


def encode(content: Snapshot | Decision | OwnInput | TeamState) -> bytes:
    """Canonical JSON."""
    return _encoder.encode(content)


def decode_snapshot(data: bytes) -> Snapshot:
    """Raises msgspec.ValidationError where the JSON is another fold version's."""
    return msgspec.json.decode(data, type=Snapshot)


def decode_decision(data: bytes) -> Decision:
    """The decision of a journal record."""
    return msgspec.json.decode(data, type=Decision)


def decode_own_input(data: bytes) -> Tick | AgentGiven:
    """The pacer's own input of a journal record."""
    own = msgspec.json.decode(data, type=OwnInput)
    if own.given is not None:
        return own.given
    return Tick()
