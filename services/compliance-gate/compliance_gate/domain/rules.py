"""Rule rows as data. A pack is a set of YAML files that an adapter loads; a deployer may replace it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from functools import cached_property

from compliance_gate.domain.holidays import HolidaySet
from outdial_contracts.events import CallMode, ConsentLevel, LineType, Purpose, RecordingRule, RuleOutcome


class Basis(StrEnum):
    """Whether a row states law or a product default that is stricter."""

    LAW = "LAW"
    POLICY = "POLICY"


class Confidence(StrEnum):
    """How sure the row's author was of its source."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "n/a"


class Key(StrEnum):
    """What an earlier attempt must share with this call to be counted."""

    SELLER = "seller"
    TOPIC = "topic"
    DEBT = "debt"
    PHONE = "phone"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """When a row applies (RULES.md 4.4, 4.5); an empty set means any."""

    jurisdiction: str
    """US, or US-FL for a region."""
    purposes: frozenset[Purpose] = frozenset()
    consumers_only: bool = False
    businesses_only: bool = False
    modes: frozenset[CallMode] = frozenset()
    line_types: frozenset[LineType] = frozenset()
    from_date: date | None = None
    """First local date in force."""
    until_date: date | None = None
    """First local date no longer in force."""

    def applies(
        self, jurisdictions: Collection[str], purpose: Purpose, consumer: bool, mode: CallMode, line: LineType
    ) -> bool:
        """Whether a call of this purpose, mode and line in these jurisdictions is subject to the row, dates aside."""
        return (
            self.jurisdiction in jurisdictions
            and (not self.purposes or purpose in self.purposes)
            and (consumer or not self.consumers_only)
            and not (consumer and self.businesses_only)
            and (not self.modes or mode in self.modes)
            and (not self.line_types or line in self.line_types)
        )

    def in_force(self, local_date: date) -> bool:
        """Whether the row is effective on a local date."""
        return (self.from_date is None or self.from_date <= local_date) and (
            self.until_date is None or local_date < self.until_date
        )


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a row comes from; printed wherever the row is named to a person."""

    citation: str
    basis: Basis = Basis.LAW
    confidence: Confidence = Confidence.NONE


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """What lifts a cap, a listing or a consent row, if anything (RULES.md 5.3, 5.6)."""

    consent_level: ConsentLevel | None = None
    transaction_months: int = 0
    """An existing business relationship: months after the last transaction."""
    inquiry_months: int = 0
    contract_active: bool = False


NO_EXEMPTION = Exemption()


@dataclass(frozen=True, kw_only=True)
class WindowRule:
    """Local calling hours (RULES.md 5.1): weekday (Monday 0) -> half-open windows; a missing weekday is banned."""

    rule_id: str
    scope: Scope
    origin: Origin
    windows: Mapping[int, tuple[tuple[time, time], ...]]
    holidays: HolidaySet | None = None


@dataclass(frozen=True, kw_only=True)
class ConsentRule:
    """A consent that must exist (RULES.md 5.3)."""

    rule_id: str
    scope: Scope
    origin: Origin
    level: ConsentLevel
    lifted_by: Exemption = NO_EXEMPTION


@dataclass(frozen=True, kw_only=True)
class CapRule:
    """At most `max_attempts - 1` earlier attempts (RULES.md 5.4), in rolling hours or in local calendar days."""

    rule_id: str
    scope: Scope
    origin: Origin
    max_attempts: int
    """Blocks when this many are counted."""
    window_hours: int = 0
    window_days: int = 0
    """Local calendar days including today, in the zone with the largest count; 0 when the window is in hours."""
    same: frozenset[Key] = frozenset({Key.SELLER})
    counted_modes: frozenset[CallMode] = frozenset()
    """Counts only attempts of these modes; empty: all."""
    not_counted: frozenset[RuleOutcome] = frozenset()
    lifted_by: Exemption = NO_EXEMPTION


@dataclass(frozen=True, kw_only=True)
class CooldownRule:
    """A wait after an attempt of some outcome (RULES.md 5.4), in hours or in local calendar days."""

    rule_id: str
    scope: Scope
    origin: Origin
    outcomes: frozenset[RuleOutcome]
    wait_hours: int = 0
    """Blocked while less time than this has passed."""
    wait_days: int = 0
    """Blocked while at most this many local dates have passed; 0 when the wait is in hours."""
    same: frozenset[Key] = frozenset({Key.SELLER})
    lifted_by_guaranteed_agent: bool = False


@dataclass(frozen=True, kw_only=True)
class ListRule:
    """An external suppression list that must be consulted in a fresh copy (RULES.md 5.6); its id is the list's."""

    rule_id: str
    scope: Scope
    origin: Origin
    max_age_days: int
    lifted_by: Exemption = NO_EXEMPTION


@dataclass(frozen=True, kw_only=True)
class RecordingDuty:
    """What must happen before a call is recorded, where one of its ends is; it never blocks a call."""

    rule_id: str
    scope: Scope
    origin: Origin
    asks: RecordingRule


@dataclass(frozen=True, kw_only=True)
class CallerIdRule:
    """Which of our numbers may be shown to callees there: one that can be called, and begins with a prefix if any."""

    rule_id: str
    scope: Scope
    origin: Origin
    prefixes: tuple[str, ...] = ()
    """E.164 beginnings; empty: any number that can be called."""


Rule = WindowRule | ConsentRule | CapRule | CooldownRule | ListRule
"""What decides whether a call may be placed."""
PackRow = Rule | RecordingDuty | CallerIdRule


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
class NumberZone:
    """Zones that national numbers beginning with `prefix` tell (RULES.md 4.2)."""

    prefix: str
    zones: tuple[str, ...]
    strong: bool = True
    """A weak zone is used only where no address tells one."""


@dataclass(frozen=True, kw_only=True)
class Numbering:
    """A country outside +1: its code and the shape of its national numbers."""

    country: str
    code: str
    national: str
    """Regular expression over digits."""
    zones: tuple[NumberZone, ...] = ()
    """The first whose prefix fits."""


@dataclass(frozen=True, kw_only=True)
class Geography:
    """What numbers and addresses tell of countries and zones (RULES.md 4.1 to 4.3, 6.7)."""

    areas: Mapping[str, Area]
    """Area code of +1 -> row."""
    numberings: tuple[Numbering, ...] = ()
    region_zones: Mapping[str, tuple[str, ...]]
    """US-FL -> zones, for addresses without a zone."""
    country_zones: Mapping[str, tuple[str, ...]]
    """Countries of a single zone."""
    other_region_zones: Mapping[str, tuple[str, ...]]
    """Country -> zones of every region that region_zones does not name."""


@dataclass(frozen=True, kw_only=True)
class PackFile:
    """One file that a pack was loaded from."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class RulePack:
    """Everything that is law or policy rather than code."""

    version: str
    tzdata: str
    """Version of the one pinned copy of the time-zone data."""
    countries: frozenset[str]
    """Countries with a pack; any other blocks."""
    geography: Geography
    windows: tuple[WindowRule, ...] = ()
    consents: tuple[ConsentRule, ...] = ()
    caps: tuple[CapRule, ...] = ()
    cooldowns: tuple[CooldownRule, ...] = ()
    lists: tuple[ListRule, ...] = ()
    recordings: tuple[RecordingDuty, ...] = ()
    caller_ids: tuple[CallerIdRule, ...] = ()
    revoke_all_from: date = date.max
    """US-REVOKE-ALL, 47 CFR 64.1200(a)(10): from this local date one revocation ends every earlier consent."""
    files: tuple[PackFile, ...] = ()
    """What it was loaded from."""

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every row that decides whether a call may be placed."""
        return (*self.windows, *self.consents, *self.caps, *self.cooldowns, *self.lists)

    def in_scope(
        self, jurisdictions: frozenset[str], purpose: Purpose, consumer: bool, mode: CallMode, line: LineType
    ) -> tuple[Rule, ...]:
        """The rows that such a call is subject to, dates aside (RULES.md 4.4)."""
        key = (jurisdictions & self._jurisdictions, purpose, consumer, mode, line)
        if key not in self._selected:
            self._selected[key] = tuple(rule for rule in self.rules if rule.scope.applies(*key))
        return self._selected[key]

    @cached_property
    def _jurisdictions(self) -> frozenset[str]:
        """Named by a row; an address may name any other."""
        return frozenset(rule.scope.jurisdiction for rule in self.rules)

    @cached_property
    def _selected(self) -> dict[tuple[frozenset[str], Purpose, bool, CallMode, LineType], tuple[Rule, ...]]:
        """What `in_scope` found before: the rows never change."""
        return {}

    @cached_property
    def rows(self) -> tuple[PackRow, ...]:
        """Every row."""
        return (*self.rules, *self.recordings, *self.caller_ids)

    def at(self, places: frozenset[str]) -> tuple[tuple[RecordingDuty, ...], tuple[CallerIdRule, ...]]:
        """The rows on recording and on caller IDs of some countries and regions."""
        key = places & self._places
        if key not in self._rows_at:
            duties = tuple(row for row in self.recordings if row.scope.jurisdiction in key)
            self._rows_at[key] = duties, tuple(row for row in self.caller_ids if row.scope.jurisdiction in key)
        return self._rows_at[key]

    @cached_property
    def _places(self) -> frozenset[str]:
        """Named by a row on recording or caller IDs."""
        duties = {row.scope.jurisdiction for row in self.recordings}
        return frozenset(duties | {row.scope.jurisdiction for row in self.caller_ids})

    @cached_property
    def _rows_at(self) -> dict[frozenset[str], tuple[tuple[RecordingDuty, ...], tuple[CallerIdRule, ...]]]:
        """What `at` found before: the rows never change."""
        return {}

    def rule(self, rule_id: str) -> PackRow | None:
        """The row of that id; None for the gate's own rules."""
        return next((row for row in self.rows if row.rule_id == rule_id), None)
