"""The preflight as one page that runs nothing and fetches nothing: hours as stacked bars in SVG, then the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from outdial_cli.report.page import STYLE
from outdial_cli.report.preflight import Section, counted, local_hour, sections, summary, zone_of

PLOT_HEIGHT, TOP, LEFT, UNDER = 220, 10, 56, 64
LEAST_STEP, WIDTH = 18, 960
LABELS = 24
"""Of hours under the plot, at most."""
CALLABLE = "#1a7f4b"
BLOCKED = ("#c2410c", "#a16207", "#7e22ce", "#0e7490", "#1d4ed8", "#be123c", "#4d7c0f", "#6b7280")


def preflight_page(intake: Mapping[str, Any], preflight: Mapping[str, Any], campaign_id: str) -> str:
    """The whole document."""
    title = f"Preflight of {campaign_id}"
    told = "".join(f"<li>{escape(line)}</li>" for line in summary(intake, preflight))
    hours = f"<h2>Callable leads by hour</h2>{_plot(preflight)}<div class=scroll>{_hours(preflight)}</div>"
    tables = "".join(
        f"<section class=whole><h2>{escape(one.title)}</h2><div class=scroll>{_table(one)}</div></section>"
        for one in sections(preflight)
    )
    advice = f"{preflight['not_legal_advice']} Rule pack {preflight['rule_pack']}, tzdata {preflight['tzdata']}."
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}</title>"
    style = f"<style>{STYLE.read_text(encoding='utf-8')}</style>"
    body = (
        f"<main><h1>{escape(title)}</h1><ul>{told}</ul><p class=aside>{escape(advice)}</p>"
        f"<div class=sections><section class=whole>{hours}</section>{tables}</div></main>"
    )
    return f"<!doctype html><html lang=en><head>{head}{style}</head><body>{body}</body></html>\n"


def _reasons(preflight: Mapping[str, Any]) -> list[str]:
    """Those of some hour, in the order they are stacked."""
    return sorted({reason for hour in preflight["hours"] for reason in hour["blocked"]})


def _colours(preflight: Mapping[str, Any]) -> dict[str, str]:
    return {reason: BLOCKED[n % len(BLOCKED)] for n, reason in enumerate(_reasons(preflight))}


def _plot(preflight: Mapping[str, Any]) -> str:
    hours, colours = preflight["hours"], _colours(preflight)
    step = max(LEAST_STEP, (WIDTH - LEFT) // max(1, len(hours)))
    width, height = LEFT + step * len(hours), TOP + PLOT_HEIGHT + UNDER
    most = max((_leads(hour) for hour in hours), default=0) or 1
    drawn = "".join((*_axis(most, width), *_bars(preflight, colours, step, most), *_names(preflight, step)))
    label = f"Leads by hour: callable, and blocked by reason, of {most}"
    legend = "".join(
        "<span><svg width=12 height=12 aria-hidden=true style='display:inline'>"
        f"<rect width=12 height=12 fill='{colour}'/></svg> {escape(name)}</span> &ensp;"
        for name, colour in {"callable": CALLABLE, **colours}.items()
    )
    return (
        f"<p class=aside>{legend}</p><div class=scroll><svg role=img aria-label='{escape(label)}' width={width} "
        f"height={height} viewBox='0 0 {width} {height}' fill=currentColor font-size=11>{drawn}</svg></div>"
    )


def _leads(hour: Mapping[str, Any]) -> int:
    return int(hour["callable"] + sum(hour["blocked"].values()))


def _axis(most: int, width: int) -> Iterator[str]:
    for n in sorted({0, most // 2, most}):
        y = TOP + PLOT_HEIGHT * (1 - n / most)
        yield f"<line x1={LEFT} x2={width} y1={y:.1f} y2={y:.1f} stroke=currentColor stroke-opacity=.25 />"
        yield f"<text x={LEFT - 6} y={y + 4:.1f} text-anchor=end>{n}</text>"


def _bars(preflight: Mapping[str, Any], colours: Mapping[str, str], step: int, most: int) -> Iterator[str]:
    zone = zone_of(preflight)
    for n, hour in enumerate(preflight["hours"]):
        under = 0
        parts: Iterable[tuple[str, int, str]] = (
            ("callable", hour["callable"], CALLABLE),
            *((reason, hour["blocked"].get(reason, 0), colour) for reason, colour in colours.items()),
        )
        for name, leads, colour in parts:
            if not leads:
                continue
            high = PLOT_HEIGHT * leads / most
            y = TOP + PLOT_HEIGHT * (1 - under / most) - high
            told = escape(f"{local_hour(hour['at'], zone)}: {name} {leads}")
            yield (
                f"<rect x={LEFT + n * step + 1} y={y:.2f} width={step - 2} height={high:.2f} fill='{colour}'>"
                f"<title>{told}</title></rect>"
            )
            under += leads


def _names(preflight: Mapping[str, Any], step: int) -> Iterator[str]:
    zone, every = zone_of(preflight), -(-len(preflight["hours"]) // LABELS)
    y = TOP + PLOT_HEIGHT + 8
    for n, hour in list(enumerate(preflight["hours"]))[::every]:
        x = LEFT + n * step + step / 2
        turned = f"transform='translate({x:.1f} {y}) rotate(-60)' text-anchor=end"
        yield f"<text {turned}>{local_hour(hour['at'], zone)}</text>"
    yield f"<text x=0 y={TOP + PLOT_HEIGHT + UNDER - 4}>{escape(zone.key)}</text>"


def _hours(preflight: Mapping[str, Any]) -> str:
    zone = zone_of(preflight)
    rows = [
        (hour["at"][:16] + "Z", local_hour(hour["at"], zone), str(hour["callable"]), counted(hour["blocked"]))
        for hour in preflight["hours"]
    ]
    heads = ("UTC", zone.key, "callable", "blocked, each lead once, under what stands longest in its way")
    return _table(Section("", heads, rows, "", frozenset({2})))


def _table(section: Section) -> str:
    if not section.rows:
        return f"<p class=aside>{escape(section.empty)}</p>"
    classes = [" class=n" if n in section.numbers else "" for n in range(len(section.heads))]
    heads = "".join(f"<th scope=col{c}>{escape(h)}</th>" for h, c in zip(section.heads, classes, strict=True))
    rows = "".join(
        f"<tr>{''.join(f'<td{c}>{escape(cell)}</td>' for cell, c in zip(row, classes, strict=True))}</tr>"
        for row in section.rows
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
