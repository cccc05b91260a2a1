"""How long things take and what is lost on the way: latency always, faults where the plan and the draws say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from outdial_runtime.broker import Reading, TopicPartition
from outdial_world.chance import Draws
from outdial_world.faults import Choice, Fault, Planned

KAFKA_SECONDS = (0.001, 0.006)
STORE_SECONDS = (0.0005, 0.004)
RPC_SECONDS = (0.0003, 0.003)
DELIVERY_SECONDS = (0.001, 0.02)
LOST_SHARE = 0.02
SLOW_SHARE = 0.05
SLOW_SECONDS = (0.05, 0.6)
RIVAL_SHARE = 0.04
RIVAL_SECONDS = 0.004
"""Within the time that a request takes, so that either may be the first."""


@dataclass(frozen=True, kw_only=True)
class Trip:
    """What becomes of one rpc."""

    there_seconds: float
    back_seconds: float
    request_lost: bool = False
    reply_lost: bool = False


class Weather:
    """Draws by stream and number: the n-th rpc of a method fares the same whatever other methods do."""

    def __init__(self, draws: Draws, choice: Choice, tell: Callable[[str, Fault, str], None]) -> None:
        self._draws, self._choice, self._tell = draws, choice, tell
        self._counts: dict[str, int] = {}
        self.delays: list[Planned] = []
        """Delays that hold now."""
        self._calm = False

    def calm(self) -> None:
        """Nothing is lost or late any more."""
        self._calm = True

    def kafka_seconds(self) -> float:
        """A produce or a read."""
        return self._between("kafka", KAFKA_SECONDS)

    def store_seconds(self) -> float:
        """A transaction."""
        return self._between("store", STORE_SECONDS)

    def delivery_seconds(self, reading: Reading, source: TopicPartition, offset: int) -> float:
        """From the broker to a reader (outdial_testing.memory_broker.Delay)."""
        low, high = DELIVERY_SECONDS
        seconds = low + (high - low) * self._draws.at(f"delivery/{reading.group}/{source.topic}", offset)
        for delay in self.delays:
            if delay.topic == source.topic and reading.group.startswith(delay.target):
                seconds += delay.seconds
        return seconds

    def trip(self, method: str) -> Trip:
        """The next rpc of this method."""
        number = self._counts[method] = self._counts.get(method, 0) + 1
        there, back = self._between(f"rpc/{method}", RPC_SECONDS), self._between(f"rpc/{method}", RPC_SECONDS)
        lost, slow = self._draws.at(f"lost/{method}", number), self._draws.at(f"slow/{method}", number)
        extra = 0.0
        if slow < SLOW_SHARE and self._happens(Fault.RPC_SLOW, method, number):
            extra = SLOW_SECONDS[0] + (SLOW_SECONDS[1] - SLOW_SECONDS[0]) * slow / SLOW_SHARE
        happens = lost < LOST_SHARE and self._happens(Fault.RPC_LOST, method, number)
        return Trip(
            there_seconds=there + (extra if number % 2 else 0.0),
            back_seconds=back + (0.0 if number % 2 else extra),
            request_lost=happens and lost < LOST_SHARE / 2,
            reply_lost=happens and lost >= LOST_SHARE / 2,
        )

    def rival_seconds(self, method: str) -> float | None:
        """How long after the next rpc of this method a rival asks for the same; None: it has no rival."""
        number = self._counts["rival"] = self._counts.get("rival", 0) + 1
        draw = self._draws.at("rival", number)
        if draw >= RIVAL_SHARE or not self._happens(Fault.RIVAL_REDEEM, method, number):
            return None
        return RIVAL_SECONDS * draw / RIVAL_SHARE

    def _happens(self, kind: Fault, method: str, number: int) -> bool:
        name = f"{kind}:{method}:{number}"
        if self._calm or not self._choice.allows(kind, name):
            return False
        self._tell(name, kind, method)
        return True

    def _between(self, stream: str, bounds: tuple[float, float]) -> float:
        number = self._counts[stream] = self._counts.get(stream, 0) + 1
        return bounds[0] + (bounds[1] - bounds[0]) * self._draws.at(stream, number)
