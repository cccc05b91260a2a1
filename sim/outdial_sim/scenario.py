"""scenario.yaml: the simulated world as frozen data. Unknown keys and broken bounds name field and rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from outdial_sim.fields import Fields, ScenarioError

MIX_TOLERANCE = 0.001


class Kind(StrEnum):
    """What a callee is; the order is the order in which the mix is walked by a draw."""

    HUMAN = "human"
    VOICEMAIL = "voicemail"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    SIT = "sit"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    DEAD_AIR = "dead_air"
    HANGUP = "hangup"


class Deed(StrEnum):
    """What a scheduled event of a scenario does."""

    OPT_OUT = "opt_out"
    KILL = "kill"


class OptOutOf(StrEnum):
    """In which state the person is who opts out."""

    QUEUED = "queued"
    RINGING = "ringing"


@dataclass(frozen=True, kw_only=True)
class Range:
    """A closed interval; the unit is in the name of the field that holds it."""

    low: float
    high: float

    def at(self, fraction: float) -> float:
        """The value `fraction` (0..1) of the way from low to high."""
        return self.low + (self.high - self.low) * fraction


@dataclass(frozen=True, kw_only=True)
class AgentsSpec:
    """How many agents and how long they talk and wrap up (log-normal: mean, coefficient of variation)."""

    count: int
    login_spread_seconds: float
    talk_mean_seconds: float
    talk_cv: float
    wrap_mean_seconds: float


@dataclass(frozen=True, kw_only=True)
class CarrierSpec:
    """Post-dial delay range, whether INVITEs are challenged (407), and the fraction of RTP packets dropped (0..1)."""

    pdd_ms: Range
    digest: bool
    loss: float


@dataclass(frozen=True, kw_only=True)
class CalleesSpec:
    """Shares of each kind (sum 1), ring time ranges by kind, and numbers (E.164) whose kind is fixed."""

    mix: Mapping[Kind, float]
    ring_seconds: Mapping[Kind, Range]
    by_number: Mapping[str, Kind]


@dataclass(frozen=True, kw_only=True)
class EventSpec:
    """One scheduled disturbance: an opt-out (`of`) or a kill (`service`, `for_seconds`)."""

    at_seconds: float
    do: Deed
    of: OptOutOf | None = None
    service: str | None = None
    for_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A whole simulated world; `clock_start` is aware UTC."""

    seed: int
    clock_start: datetime
    agents: AgentsSpec
    carrier: CarrierSpec
    callees: CalleesSpec
    events: tuple[EventSpec, ...] = ()


def load(path: Path) -> Scenario:
    """Read and validate a scenario file. Raises ScenarioError naming the field and the rule it breaks."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ScenarioError("scenario", f"must be YAML ({type(error).__name__})") from error
    return parse(document)


def parse(document: object) -> Scenario:
    """Validate a decoded scenario document. Raises ScenarioError."""
    top = Fields.of(document, "scenario", {"schema", "seed", "clock_start", "agents", "carrier", "callees", "events"})
    if top.integer("schema") != 1:
        raise ScenarioError("scenario.schema", "must be 1")
    return Scenario(
        seed=top.integer("seed", low=0),
        clock_start=_utc(top.required("clock_start")),
        agents=_agents(top.required("agents")),
        carrier=_carrier(top.optional("carrier", {})),
        callees=_callees(top.required("callees")),
        events=_events(top.optional("events", [])),
    )


def _utc(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ScenarioError("scenario.clock_start", "must be an RFC 3339 time") from error
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ScenarioError("scenario.clock_start", "must be an RFC 3339 time with a zone")
    return value.astimezone(UTC)


def _agents(document: object) -> AgentsSpec:
    names = {"count", "login_spread_seconds", "talk_mean_seconds", "talk_cv", "wrap_mean_seconds"}
    fields = Fields.of(document, "agents", names)
    return AgentsSpec(
        count=fields.integer("count", low=0, high=1000),
        login_spread_seconds=fields.number("login_spread_seconds", 3.0, low=0.0),
        talk_mean_seconds=fields.number("talk_mean_seconds", 20.0, low=0.1),
        talk_cv=fields.number("talk_cv", 0.6, low=0.0, high=5.0),
        wrap_mean_seconds=fields.number("wrap_mean_seconds", 3.0, low=0.0),
    )


def _carrier(document: object) -> CarrierSpec:
    fields = Fields.of(document, "carrier", {"pdd_ms", "digest", "loss"})
    return CarrierSpec(
        pdd_ms=_range(fields.optional("pdd_ms", [200, 600]), "carrier.pdd_ms"),
        digest=fields.boolean("digest", True),
        loss=fields.number("loss", 0.0, low=0.0, high=1.0),
    )


def _callees(document: object) -> CalleesSpec:
    fields = Fields.of(document, "callees", {"mix", "ring_seconds", "by_number"})
    kinds = {kind.value for kind in Kind}
    mix = Fields.of(fields.required("mix"), "callees.mix", kinds)
    shares = {Kind(name): mix.number(name, low=0.0, high=1.0) for name in mix.names()}
    if abs(sum(shares.values()) - 1.0) > MIX_TOLERANCE:
        raise ScenarioError("callees.mix", "must sum to 1")
    rings = Fields.of(fields.optional("ring_seconds", {}), "callees.ring_seconds", kinds)
    return CalleesSpec(
        mix=MappingProxyType({kind: shares[kind] for kind in Kind if kind in shares}),
        ring_seconds=MappingProxyType(
            {Kind(name): _range(rings.required(name), f"callees.ring_seconds.{name}") for name in rings.names()}
        ),
        by_number=MappingProxyType(_by_number(fields.optional("by_number", {}))),
    )


def _by_number(document: object) -> dict[str, Kind]:
    """The keys are callees' numbers, so an error names the place, never the number."""
    if not isinstance(document, dict):
        raise ScenarioError("callees.by_number", "must be a mapping from E.164 to a kind")
    fixed: dict[str, Kind] = {}
    for place, (number, kind) in enumerate(document.items(), start=1):
        field = f"callees.by_number entry {place}"
        if not (isinstance(number, str) and number.startswith("+") and number[1:].isdigit() and len(number) <= 16):
            raise ScenarioError(field, "must have a quoted E.164 key (+ and at most 15 digits)")
        if kind not in list(Kind):
            raise ScenarioError(field, f"must be one of {', '.join(Kind)}")
        fixed[number] = Kind(kind)
    return fixed


def _events(document: object) -> tuple[EventSpec, ...]:
    if not isinstance(document, list):
        raise ScenarioError("events", "must be a list")
    return tuple(_event(item, f"events[{place}]") for place, item in enumerate(document))


def _event(document: object, name: str) -> EventSpec:
    fields = Fields.of(document, name, {"at_seconds", "do", "of", "service", "for_seconds"})
    deed = fields.choice("do", Deed)
    at_seconds = fields.number("at_seconds", low=0.0)
    if deed is Deed.OPT_OUT:
        fields.refuse({"service", "for_seconds"}, "belongs to do: kill")
        return EventSpec(at_seconds=at_seconds, do=deed, of=fields.choice("of", OptOutOf))
    fields.refuse({"of"}, "belongs to do: opt_out")
    return EventSpec(
        at_seconds=at_seconds,
        do=deed,
        service=fields.text("service"),
        for_seconds=fields.number("for_seconds", low=0.0),
    )


def _range(value: Any, name: str) -> Range:
    numeric = isinstance(value, list) and len(value) == 2
    if not numeric or not all(isinstance(part, int | float) and not isinstance(part, bool) for part in value):
        raise ScenarioError(name, "must be two numbers [low, high]")
    low, high = float(value[0]), float(value[1])
    if not 0.0 <= low <= high:
        raise ScenarioError(name, "must satisfy 0 <= low <= high")
    return Range(low=low, high=high)
