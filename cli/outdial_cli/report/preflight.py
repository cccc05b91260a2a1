"""`outdial preflight` on a terminal: who is skipped and why, by hour as numbers and bars, who waits for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.table import Table
from rich.text import Text

from outdial_cli.report.render import wide_console

BAR_CHARACTERS = 30
SHOWN_PLACES = 20
DAY_HOURS = 24.0
COLOURS = ("red", "yellow", "magenta", "cyan", "blue", "bright_red", "bright_yellow", "bright_magenta")


@dataclass(frozen=True)
class Section:
    """A heading and its table; without rows its `empty` sentence. Columns of `numbers` are aligned right."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str
    numbers: frozenset[int] = frozenset()


def render_preflight(
    intake: Mapping[str, Any], preflight: Mapping[str, Any], console: Console | None = None, *, whole: bool = True
) -> None:
    """What the campaign will do, before it does it; not `whole`: the sums of now only."""
    out = console or wide_console()
    out.print("\n[bold]Preflight[/bold]", highlight=False)
    for line in summary(intake, preflight):
        out.print(f"  {line}", highlight=False, soft_wrap=True)
    if not whole:
        out.print()
        return
    letters = letters_of(preflight)
    out.print(_hours(preflight, letters))
    out.print(_legend(letters), highlight=False)
    for section in sections(preflight):
        out.print(f"\n[bold]{section.title}[/bold]", highlight=False)
        out.print(_table(section) if section.rows else f"  {section.empty}", highlight=False)
    out.print(f"\nrule pack {preflight['rule_pack']}, tzdata {preflight['tzdata']}", style="dim", highlight=False)
    out.print(preflight["not_legal_advice"], style="dim", highlight=False, soft_wrap=True)


def summary(intake: Mapping[str, Any], preflight: Mapping[str, Any]) -> Iterator[str]:
    """Sentences: rejected rows, skipped leads with every reason (one lead may have several), and who can be called."""
    yield f"{intake['rows']} rows, {intake['leads']} leads, judged at {_utc(preflight['at'])}"
    if intake["rejected"]:
        yield f"{sum(intake['rejected'].values())} rows rejected: {counted(intake['rejected'])}"
    skipped = preflight["blocked_total"]
    yield f"{skipped} of {intake['leads']} would be skipped now: {counted(preflight['blocked']) or 'none'}"
    yield f"{preflight['callable']} can be called now"


def letters_of(preflight: Mapping[str, Any]) -> dict[str, str]:
    """A letter for each reason that stands in some hour, the most frequent first."""
    total = Counter[str]()
    for hour in preflight["hours"]:
        total.update(hour["blocked"])
    reasons = sorted(total, key=lambda reason: (-total[reason], reason))
    return {reason: chr(ord("a") + n) for n, reason in enumerate(reasons)}


def zone_of(preflight: Mapping[str, Any]) -> ZoneInfo:
    """Where most of the callees live, as far as this machine knows the zone; else UTC."""
    known = preflight["zones"]
    for name in sorted(known, key=lambda zone: (-known[zone], zone)):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


def sections(preflight: Mapping[str, Any]) -> Iterator[Section]:
    """The tables beside the hours, for a terminal and for the page."""
    yield Section(
        "Blocked now, callable later",
        ("leads", "reasons", "rules", "earliest", "median", "last"),
        [(*_group(one), *(_utc(one[name]) for name in ("earliest", "median", "last"))) for one in preflight["waiting"]],
        "Nobody waits.",
        frozenset({0}),
    )
    yield Section(
        "Never callable with what is known now (60 days looked ahead)",
        ("leads", "reasons", "rules"),
        [_group(one) for one in preflight["never"]],
        "Nobody.",
        frozenset({0}),
    )
    yield Section(
        "External lists these leads need",
        ("list", "copy", "as of", "age", "at most", "leads"),
        [_list(one, datetime.fromisoformat(preflight["at"])) for one in preflight["lists"]],
        "None.",
        frozenset({3, 4, 5}),
    )
    yield Section(
        "By region or country, now",
        ("place", "leads", "callable", "blocked, each lead once"),
        list(_places(preflight["places"])),
        "No leads.",
        frozenset({1, 2}),
    )


def shares(counts: Sequence[int], width: int) -> list[int]:
    """Widths of stacked parts that add up to `width` (0 when nothing is counted): their ends are rounded."""
    total, ends = sum(counts), [0]
    for n in range(len(counts)):
        ends.append(round(sum(counts[: n + 1]) / total * width) if total else 0)
    return [end - begin for begin, end in pairwise(ends)]


def counted(reasons: Mapping[str, int]) -> str:
    """DNC_LISTED 3, HOURS 2."""
    return ", ".join(f"{reason} {n}" for reason, n in sorted(reasons.items()))


def local_hour(at: str, zone: ZoneInfo) -> str:
    """Tue 10:00."""
    return f"{datetime.fromisoformat(at).astimezone(zone):%a %H:%M}"


def _hours(preflight: Mapping[str, Any], letters: Mapping[str, str]) -> Table:
    zone = zone_of(preflight)
    table = Table(title="\nBy hour, each lead once, under what stands longest in its way", title_justify="left",
                  show_edge=False, pad_edge=False, title_style="bold")  # fmt: skip
    table.add_column("UTC", no_wrap=True)
    table.add_column(zone.key, no_wrap=True)
    for name in ("callable", *letters.values()):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for hour in preflight["hours"]:
        numbers = [hour["callable"], *(hour["blocked"].get(reason, 0) for reason in letters)]
        words = (local_hour(hour["at"], ZoneInfo("UTC")), local_hour(hour["at"], zone), *map(str, numbers))
        table.add_row(*words, _bar(numbers, list(letters.values())))
    return table


def _bar(numbers: Sequence[int], letters: Sequence[str]) -> Text:
    bar = Text()
    for n, (sign, width) in enumerate(zip(("█", *letters), shares(numbers, BAR_CHARACTERS), strict=True)):
        bar.append(sign * width, style="green" if n == 0 else COLOURS[(n - 1) % len(COLOURS)])
    return bar


def _legend(letters: Mapping[str, str]) -> str:
    return "  " + "  ".join(("█ callable", *(f"{letter} {reason}" for reason, letter in letters.items())))


def _table(section: Section) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for n, head in enumerate(section.heads):
        table.add_column(head, justify="right" if n in section.numbers else "left", overflow="fold")
    for row in section.rows:
        table.add_row(*row)
    return table


def _group(one: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(one["leads"]), ", ".join(one["reasons"]), ", ".join(one["rule_ids"])


def _list(one: Mapping[str, Any], at: datetime) -> tuple[str, ...]:
    most, leads = f"{one['max_age_days']} d", str(one["leads"])
    if one["as_of"] is None:
        return one["list"], "MISSING", "never loaded", "-", most, leads
    hours = (at - datetime.fromisoformat(one["as_of"])).total_seconds() / 3600
    age = f"{hours:.0f} h" if abs(hours) < 2 * DAY_HOURS else f"{hours / DAY_HOURS:.0f} d"
    return one["list"], one["state"], _utc(one["as_of"]), age, most, leads


def _places(places: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    largest = sorted(places, key=lambda name: (-places[name]["leads"], name))
    for name in largest[:SHOWN_PLACES]:
        one = places[name]
        yield name, str(one["leads"]), str(one["callable"]), counted(one["blocked"])
    if rest := [places[name] for name in largest[SHOWN_PLACES:]]:
        sums = (str(sum(one[key] for one in rest)) for key in ("leads", "callable"))
        yield f"{len(rest)} more", *sums, "see --json"


def _utc(at: str) -> str:
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"
