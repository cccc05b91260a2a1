"""Rule rows as data. A pack is a YAML file that an adapter loads; a deployer may replace it (RULES.md, preamble)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time

from outdial_contracts.events import CallMode, ConsentLevel, LineType, Purpose, RuleOutcome


@dataclass(frozen=True, kw_only=True)
class Scope:
    """When a row applies (RULES.md 4.5); an empty set means any."""

    jurisdiction: str
    """US, or US-FL for a region."""
    purposes: frozenset[Purpose] = frozenset()
    consumers_only: bool = False
    modes: frozenset[CallMode] = frozenset()
    line_types: frozenset[LineType] = frozenset()

    def applies(
        self, jurisdictions: frozenset[str], purpose: Purpose, consumer: bool, mode: CallMode, line: LineType
    ) -> bool:
        """Whether a call of this purpose, mode and line in these jurisdictions is subject to the row."""
        return (
            self.jurisdiction in jurisdictions
            and (not self.purposes or purpose in self.purposes)
            and (consumer or not self.consumers_only)
            and (not self.modes or mode in self.modes)
            and (not self.line_types or line in self.line_types)
        )


@dataclass(frozen=True, kw_only=True)
class WindowRule:
    """Local calling hours (RULES.md 5.1): weekday (Monday 0) -> half-open windows; a missing weekday is banned."""

    rule_id: str
    scope: Scope
    windows: Mapping[int, tuple[tuple[time, time], ...]]
    citation: str


@dataclass(frozen=True, kw_only=True)
class ConsentRule:
    """A consent that must exist (RULES.md 5.3)."""

    rule_id: str
    scope: Scope
    level: ConsentLevel
    citation: str


@dataclass(frozen=True, kw_only=True)
class CapRule:
    """At most `max_attempts - 1` earlier attempts in a rolling window (RULES.md 5.4)."""

    rule_id: str
    scope: Scope
    max_attempts: int
    """Blocks when this many are counted."""
    window_hours: int
    same_topic: bool
    """Counts only attempts of the same topic; the seller must always be the same."""
    not_counted: frozenset[RuleOutcome]
    citation: str


@dataclass(frozen=True, kw_only=True)
class Area:
    """One row of the North American area-code table (nanp_npa.csv)."""

    country: str
    """ISO 3166; empty for toll-free and non-geographic codes."""
    region: str
    """US-NY; empty where there is none."""
    kind: str
    """geographic, foreign, toll_free or non_geographic."""
    zones: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RulePack:
    """Everything that is law or policy rather than code."""

    version: str
    tzdata: str
    """Version of the one pinned copy of the time-zone data."""
    countries: frozenset[str]
    """Countries with a pack; any other blocks."""
    areas: Mapping[str, Area]
    """Area code -> row."""
    region_zones: Mapping[str, tuple[str, ...]]
    """US-FL -> zones, for addresses without a zone (RULES.md 6.7)."""
    windows: tuple[WindowRule, ...]
    consents: tuple[ConsentRule, ...]
    caps: tuple[CapRule, ...]
    revoke_all_from: date
    """US-REVOKE-ALL, 47 CFR 64.1200(a)(10): from this local date one revocation ends every earlier consent."""
