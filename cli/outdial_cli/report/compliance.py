"""The month's compliance report of a seller as a page that fetches nothing, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from outdial_cli.report.page import named_rows, section, whole_page

DAY_WIDTH, PLOT_HEIGHT, LEFT, BELOW = 26, 120, 46, 22
"""Of the plot, in SVG units."""
COLUMNS = (
    *("legal_campaign", "jurisdiction", "starts_at", "ends_at", "over", "humans", "abandoned"),
    *("machine_hangups", "machine_people_estimated", "rate", "limit", "within_limit", "left_calls"),
)


def compliance_page(report: Mapping[str, Any]) -> str:
    """The whole document."""
    r, harbour = report, report["safe_harbour"]
    title = f"Compliance report: {r['seller_id']}, {r['month']}"
    sections = (
        section("Drop rate (abandon) by legal window", _table(r["windows"], COLUMNS), whole=True),
        section("Drop rate by day, UTC", drop_plot(r["days"], [w["limit"] for w in r["windows"]]), whole=True),
        section("Recorded message", named_rows(harbour["message"].items())),
        section("Ring time", named_rows(harbour["ring"].items())),
        section("Do-not-call requests", named_rows(_requests(r["dnc_requests"]))),
        section("Records", named_rows([*harbour["records"].items(), ("drop limits", r["drop_limits"])])),
        section("Scrub dates: copies of lists in force", _table(r["lists"]), whole=True),
        section("Rule packs and time zones used", _table(r["rule_packs"]), whole=True),
        section("Overrides: states, stops, limits, restores", _table(r["overrides"]), whole=True),
        section("Signed checkpoints of the ledger", _table(r["checkpoints"]), whole=True),
    )
    return whole_page(title, _verdict(r), sections)


def compliance_csv(report: Mapping[str, Any]) -> str:
    """One row per legal window, then a row per day: `row` says which."""
    names = ("row", "seller_id", "month", "day", *COLUMNS)
    out = io.StringIO()
    writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    head = {"seller_id": report["seller_id"], "month": report["month"]}
    writer.writerows({"row": "window", **head, **window} for window in report["windows"])
    writer.writerows({"row": "day", **head, **day} for day in report["days"])
    return out.getvalue().rstrip("\n")


def drop_plot(days: Sequence[Mapping[str, Any]], limits: Iterable[float]) -> str:
    """Bars of each day's drop rate against the lowest limit; a day on which nobody answered has no bar."""
    if not days:
        return "<p class=aside>Nobody was called.</p>"
    limit = min(limits, default=None)
    most = max([day["rate"] or 0.0 for day in days] + [limit or 0.0]) * 1.1 or 1.0
    width, floor = LEFT + DAY_WIDTH * len(days), PLOT_HEIGHT
    bars = "".join(_bar(n, day, most) for n, day in enumerate(days))
    line = ""
    if limit is not None:
        y = floor - limit / most * PLOT_HEIGHT
        line = (
            f"<line x1={LEFT} x2={width} y1={y:.1f} y2={y:.1f} stroke='var(--bad)' stroke-dasharray='4 3' />"
            f"<text x=0 y={y + 4:.1f} font-size=11 fill='var(--bad)'>{limit:.1%}</text>"
        )
    label = "Drop rate by day; the dashed line is the limit of the legal window"
    return (
        f"<svg width={width} height={PLOT_HEIGHT + BELOW} viewBox='0 0 {width} {PLOT_HEIGHT + BELOW}' role=img "
        f"aria-label='{label}'><line x1={LEFT} x2={width} y1={floor} y2={floor} stroke='var(--line)' />"
        f"{bars}{line}</svg><p class=aside>{label}. A single day over it breaks nothing where the window is longer.</p>"
        + _table(days)
    )


def _bar(n: int, day: Mapping[str, Any], most: float) -> str:
    x, height = LEFT + n * DAY_WIDTH, (day["rate"] or 0.0) / most * PLOT_HEIGHT
    said = f"{day['day']}: {day['abandoned']} dropped of {day['humans']} human answers"
    return (
        f"<rect class=fill x={x + 3} y={PLOT_HEIGHT - height:.1f} width={DAY_WIDTH - 6} height={height:.1f}>"
        f"<title>{escape(said)}</title></rect>"
        f"<text x={x + DAY_WIDTH / 2} y={PLOT_HEIGHT + 15} font-size=11 text-anchor=middle fill='var(--quiet)'>"
        f"{escape(str(day['day'])[-2:])}</text>"
    )


def _verdict(r: Mapping[str, Any]) -> str:
    broken = [w for w in r["windows"] if not w["within_limit"]]
    partial = "" if r["complete"] else " The month is not over."
    if broken:
        lines = "".join(f"<li>{escape(w['legal_campaign'])}, {escape(w['jurisdiction'])}</li>" for w in broken)
        found = f"<div class='verdict broken'><p>✗ Over the limit of a legal window:{partial}</p><ul>{lines}</ul></div>"
    else:
        found = f"<p class='verdict holds'>✓ No legal window is over its limit.{partial}</p>"
    return f"{found}<p class=aside>{escape(r['not_legal_advice'])}</p>"


def _requests(requests: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    yield "requests that came into force", requests["requests"]
    for source, count in requests["by_source"].items():
        yield f"by {source}", count
    for name, seconds in requests["seconds_to_honour"].items():
        yield f"time to honour, {name}", None if seconds is None else f"{seconds:.1f} s"


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Rows of one shape; without columns those of all rows, in the order they come."""
    if not rows:
        return "<p class=aside>None.</p>"
    names = columns or tuple(dict.fromkeys(name for row in rows for name in row))
    heads = "".join(f"<th scope=col>{escape(name.replace('_', ' '))}</th>" for name in names)
    lines = "".join("<tr>" + "".join(f"<td>{_said(row.get(name))}</td>" for name in names) + "</tr>" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _said(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(str(value))
