"""Rows of rule-pack files, checked field by field: an error names the row, the field and what is wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from enum import Enum
from typing import Any, TypeVar

from compliance_gate.domain.holidays import EasterDay, Fixed, Holiday, HolidaySet, InLieu, NthWeekday
from compliance_gate.domain.rules import (
    NO_EXEMPTION,
    Basis,
    CallerIdRule,
    CapRule,
    Confidence,
    ConsentRule,
    CooldownRule,
    Exemption,
    Key,
    ListRule,
    Numbering,
    NumberZone,
    Origin,
    RecordingDuty,
    Scope,
    WindowRule,
)
from outdial_contracts.events import CallMode, ConsentLevel, LineType, Purpose, RecordingRule, RuleOutcome

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SCOPE_FIELDS = {
    "rule_id", "jurisdiction", "purposes", "consumers_only", "businesses_only", "modes", "line_types", "from", "until",
}  # fmt: skip
ORIGIN_FIELDS = {"basis", "confidence", "citation"}
RULE_ID = re.compile(r"[A-Z0-9][A-Z0-9-]{2,63}")
PREFIX = re.compile(r"\+[1-9][0-9]{0,9}")
JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
Kind = TypeVar("Kind", bound=Enum)
T = TypeVar("T")


class RulePackError(ValueError):
    """A pack file breaks its shape; the text names file, row, field and what is wanted."""


class Row:
    """One mapping of a pack file whose fields are read once each; what nobody reads is an error."""

    def __init__(self, name: str, fields: Any) -> None:
        if not isinstance(fields, Mapping):
            raise RulePackError(f"{name}: want a mapping")
        self.name = name
        self._fields = dict(fields)

    def take(self, field: str, read: Callable[[Any], T], default: T | None = None) -> T:
        """The field's value, or the default where it is absent.

        Raises:
            RulePackError: it is absent and has no default, or it can't be read.
        """
        if field not in self._fields:
            if default is None:
                raise RulePackError(f"{self.name}: {field} is missing")
            return default
        try:
            return read(self._fields.pop(field))
        except RulePackError as error:
            raise RulePackError(f"{self.name}: {field}: {error}") from None
        except (ValueError, TypeError, KeyError) as error:
            raise RulePackError(f"{self.name}: {field}: {error}") from None

    def maybe(self, field: str, read: Callable[[Any], T]) -> T | None:
        """The field's value, or None where it is absent."""
        return self.take(field, read) if field in self._fields else None

    def done(self) -> None:
        """Raises RulePackError when a field is left that nobody understands."""
        if self._fields:
            raise RulePackError(f"{self.name}: {sorted(self._fields)[0]}: no such field here")


def text(value: Any) -> str:
    """A non-empty string."""
    if not isinstance(value, str) or not value:
        raise RulePackError("want a text")
    return value


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise RulePackError("want true or false")
    return value


def count(value: Any) -> int:
    """A whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RulePackError("want a whole number of at least 1")
    return value


def whole(value: Any) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise RulePackError("want a whole number")
    return value


def day(value: Any) -> date:
    """A date; YAML reads 2026-01-01 as one."""
    if not isinstance(value, date):
        raise RulePackError("want a date YYYY-MM-DD")
    return value


def matching(pattern: re.Pattern[str]) -> Callable[[Any], str]:
    """Reads a text of that shape."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise RulePackError(f"want {pattern.pattern}")
        return value

    return read


def one_of(kind: type[Kind]) -> Callable[[Any], Kind]:
    """Reads one symbol of an enum; UNKNOWN is none, but for lines: one whose type nobody knows."""
    known = [member.value for member in kind if member.value != "UNKNOWN" or kind is LineType]

    def read(value: Any) -> Kind:
        if value not in known:
            raise RulePackError(f"want one of {', '.join(known)}")
        return kind(value)

    return read


def several(read: Callable[[Any], T]) -> Callable[[Any], frozenset[T]]:
    """Reads a non-empty list."""

    def read_all(value: Any) -> frozenset[T]:
        return frozenset(read(one) for one in _listed(value))

    return read_all


def texts(value: Any) -> tuple[str, ...]:
    """A non-empty list of texts."""
    return tuple(text(one) for one in _listed(value))


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise RulePackError("want a list that is not empty")
    return value


def window_rule(row: Row, holidays: Mapping[str, HolidaySet]) -> WindowRule:
    """A row of `windows`."""
    rule = WindowRule(
        rule_id=_rule_id(row),
        scope=_scope(row),
        origin=_origin(row),
        windows=row.take("hours", _hours),
        holidays=row.maybe("holidays", lambda name: _known(holidays, name)),
    )
    row.done()
    return rule


def consent_rule(row: Row) -> ConsentRule:
    """A row of `consents`."""
    rule = ConsentRule(
        rule_id=_rule_id(row),
        scope=_scope(row),
        origin=_origin(row),
        level=row.take("level", one_of(ConsentLevel)),
        lifted_by=_exemption(row),
    )
    row.done()
    return rule


def cap_rule(row: Row) -> CapRule:
    """A row of `caps`."""
    hours, days = _either(row, "window_hours", "window_days")
    rule = CapRule(
        rule_id=_rule_id(row),
        scope=_scope(row),
        origin=_origin(row),
        max_attempts=row.take("max_attempts", count),
        window_hours=hours,
        window_days=days,
        same=row.take("same", several(one_of(Key)), frozenset({Key.SELLER})),
        counted_modes=row.take("counted_modes", several(one_of(CallMode)), frozenset[CallMode]()),
        not_counted=row.take("not_counted", several(one_of(RuleOutcome)), frozenset[RuleOutcome]()),
        lifted_by=_exemption(row),
    )
    row.done()
    return rule


def cooldown_rule(row: Row) -> CooldownRule:
    """A row of `cooldowns`."""
    hours, days = _either(row, "wait_hours", "wait_days")
    rule = CooldownRule(
        rule_id=_rule_id(row),
        scope=_scope(row),
        origin=_origin(row),
        outcomes=row.take("outcomes", several(one_of(RuleOutcome))),
        wait_hours=hours,
        wait_days=days,
        same=row.take("same", several(one_of(Key)), frozenset({Key.SELLER})),
        lifted_by_guaranteed_agent=row.take("lifted_by_guaranteed_agent", flag, False),
    )
    row.done()
    return rule


def list_rule(row: Row) -> ListRule:
    """A row of `lists`."""
    rule = ListRule(
        rule_id=_rule_id(row),
        scope=_scope(row),
        origin=_origin(row),
        max_age_days=row.take("max_age_days", count),
        lifted_by=_exemption(row),
    )
    row.done()
    return rule


def recording_duty(row: Row) -> RecordingDuty:
    """A row of `recordings`."""
    duty = RecordingDuty(
        rule_id=_rule_id(row),
        scope=_scope(row),
        origin=_origin(row),
        asks=row.take("asks", one_of(RecordingRule)),
    )
    row.done()
    return duty


def caller_id_rule(row: Row) -> CallerIdRule:
    """A row of `caller_ids`."""
    rule = CallerIdRule(
        rule_id=_rule_id(row),
        scope=_scope(row),
        origin=_origin(row),
        prefixes=row.take("prefixes", lambda value: tuple(matching(PREFIX)(one) for one in _listed(value)), ()),
    )
    row.done()
    return rule


def _rule_id(row: Row) -> str:
    rule_id = row.take("rule_id", matching(RULE_ID))
    row.name = f"{row.name.partition(':')[0]}: {rule_id}"
    return rule_id


def _scope(row: Row) -> Scope:
    scope = Scope(
        jurisdiction=row.take("jurisdiction", matching(JURISDICTION)),
        purposes=row.take("purposes", several(one_of(Purpose)), frozenset[Purpose]()),
        consumers_only=row.take("consumers_only", flag, False),
        businesses_only=row.take("businesses_only", flag, False),
        modes=row.take("modes", several(one_of(CallMode)), frozenset[CallMode]()),
        line_types=row.take("line_types", several(one_of(LineType)), frozenset[LineType]()),
        from_date=row.maybe("from", day),
        until_date=row.maybe("until", day),
    )
    if scope.consumers_only and scope.businesses_only:
        raise RulePackError(f"{row.name}: businesses_only: consumers_only is set too, so nobody is meant")
    if scope.from_date is not None and scope.until_date is not None and scope.until_date <= scope.from_date:
        raise RulePackError(f"{row.name}: until: want a date after from")
    return scope


def _origin(row: Row) -> Origin:
    return Origin(
        citation=row.take("citation", text),
        basis=row.take("basis", one_of(Basis)),
        confidence=row.take("confidence", one_of(Confidence)),
    )


def _exemption(row: Row) -> Exemption:
    return row.take("lifted_by", lambda fields: _lifted_by(Row("lifted_by", fields)), NO_EXEMPTION)


def _lifted_by(row: Row) -> Exemption:
    exemption = Exemption(
        consent_level=row.maybe("consent", one_of(ConsentLevel)),
        transaction_months=row.maybe("transaction_months", count) or 0,
        inquiry_months=row.maybe("inquiry_months", count) or 0,
        contract_active=row.take("contract_active", flag, False),
    )
    row.done()
    return exemption


def _either(row: Row, hours: str, days: str) -> tuple[int, int]:
    found = row.maybe(hours, count) or 0, row.maybe(days, count) or 0
    if bool(found[0]) == bool(found[1]):
        raise RulePackError(f"{row.name}: {hours}: want either {hours} or {days}")
    return found


def _known(holidays: Mapping[str, HolidaySet], name: Any) -> HolidaySet:
    if name not in holidays:
        raise RulePackError(f"no holiday set {name!r} in this file")
    return holidays[name]


def _hours(value: Any) -> dict[int, tuple[tuple[time, time], ...]]:
    if not isinstance(value, Mapping) or not value:
        raise RulePackError('want days to windows, for example {mon-fri: ["09:00-20:00"]}')
    windows: dict[int, tuple[tuple[time, time], ...]] = {}
    for days, spans in value.items():
        for weekday in _weekdays(days):
            if weekday in windows:
                raise RulePackError(f"{WEEKDAYS[weekday]} comes twice")
            windows[weekday] = tuple(_span(span) for span in _listed(spans))
    return windows


def _weekdays(days: Any) -> Iterable[int]:
    if days == "daily":
        return range(7)
    first, _, last = str(days).partition("-")
    if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
        raise RulePackError("want daily, mon or mon-fri")
    return range(WEEKDAYS.index(first), WEEKDAYS.index(last or first) + 1)


def _span(span: Any) -> tuple[time, time]:
    opens, _, closes = str(span).partition("-")
    try:
        window = time.fromisoformat(opens), time.fromisoformat(closes)
    except ValueError:
        raise RulePackError("want windows as HH:MM-HH:MM") from None
    if window[0] >= window[1]:
        raise RulePackError("a window must open before it closes")
    return window


def holiday_set(name: str, days: Any) -> HolidaySet:
    """A named set of a file's `holidays`."""
    found = tuple(_holiday(Row(f"holidays {name}", one)) for one in _listed(days))
    return HolidaySet(name=name, days=found)


def _holiday(row: Row) -> Holiday:
    fixed, offset = row.maybe("date", text), row.maybe("easter", whole)
    if fixed is not None:
        month, _, number = fixed.partition("-")
        date(2028, int(month), int(number))  # a leap year: raises ValueError for a date of no year
        holiday: Holiday = Fixed(
            month=int(month), day=int(number), in_lieu=row.take("in_lieu", one_of(InLieu), InLieu.NEVER)
        )
    elif offset is not None:
        holiday = EasterDay(offset_days=offset)
    else:
        holiday = NthWeekday(
            month=row.take("month", count),
            weekday=row.take("weekday", WEEKDAYS.index),
            nth=row.take("nth", whole),
            plus_days=row.maybe("plus_days", whole) or 0,
        )
    row.done()
    return holiday


def numbering(row: Row) -> Numbering:
    """A row of `numberings`."""
    found = Numbering(
        country=row.take("country", text),
        code=row.take("code", text),
        national=row.take("national", text),
        zones=row.take("zones", lambda zones: tuple(_number_zone(Row("zones", one)) for one in _listed(zones))),
    )
    row.done()
    return found


def _number_zone(row: Row) -> NumberZone:
    zone = NumberZone(
        prefix=row.take("prefix", str), zones=row.take("zones", texts), strong=row.take("strong", flag, True)
    )
    row.done()
    return zone
