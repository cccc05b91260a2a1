"""What a demo run is made of: options, the three YAML files, and what of them the runner itself needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class BadInput(Exception):
    """An input file can't be used; the text names file, field and rule. Exit code 2."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """The command line of `outdial demo`."""

    leads: Path
    campaign: Path
    scenario: Path
    suppression: Path
    route: Path
    seconds: int
    """Of origination."""
    data_dir: Path
    cache_dir: Path
    json_output: bool = False


@dataclass(frozen=True, kw_only=True)
class ScenarioEvent:
    """One planned event of scenario.yaml."""

    at_seconds: float
    do: str
    service: str | None = None
    for_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DemoInputs:
    """Parsed files."""

    campaign: Mapping[str, Any]
    route: Mapping[str, Any]
    clock_start: str
    agents: int
    events: tuple[ScenarioEvent, ...]

    @property
    def campaign_id(self) -> str:
        """The campaign's id."""
        return str(self.campaign["id"])

    @property
    def team_id(self) -> str:
        """Its team."""
        return str(self.campaign["team"])


def read_inputs(options: DemoOptions) -> DemoInputs:
    """Reads campaign, route and scenario. Raises BadInput."""
    for path in (options.leads, options.suppression):
        if not path.is_file():
            raise BadInput(f"{path}: no such file")
    campaign, route, scenario = (_mapping(p) for p in (options.campaign, options.route, options.scenario))
    for name in ("id", "team", "seller", "route"):
        if name not in campaign:
            raise BadInput(f"{options.campaign}: {name} is missing")
    try:
        agents, clock = int(scenario["agents"]["count"]), scenario["clock_start"]
        events = tuple(_event(e) for e in scenario.get("events") or ())
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{options.scenario}: {type(error).__name__} at {error}; see formats.md, scenario.yaml"
        ) from None
    start = clock.isoformat().replace("+00:00", "Z") if hasattr(clock, "isoformat") else str(clock)
    return DemoInputs(campaign=campaign, route=route, clock_start=start, agents=agents, events=events)


def _event(raw: Mapping[str, Any]) -> ScenarioEvent:
    return ScenarioEvent(
        at_seconds=float(raw["at_seconds"]),
        do=str(raw["do"]),
        service=raw.get("service"),
        for_seconds=float(raw.get("for_seconds", 0)),
    )


def _mapping(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML ({type(error).__name__})") from None
    if not isinstance(raw, Mapping):
        raise BadInput(f"{path}: must be a mapping")
    return raw
