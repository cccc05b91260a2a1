"""report.html: the report as one file that runs nothing and fetches nothing, for a browser or the console's frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

STYLE = Path(__file__).with_name("page.css")
SHOWN_SPANS = 40
KEPT_RUNS = 20
FUNNEL = {
    "rows": "rows of the file",
    "leads": "leads",
    "offers": "offers",
    "cleared": "cleared",
    "redeemed": "attempts (redeemed)",
    "invites_seen_by_carrier": "INVITEs seen by the carrier",
    "humans_answered": "human answers",
    "connected": "connects",
}


def report_page(report: Mapping[str, Any], spans: Iterable[Mapping[str, Any]], written_at: datetime) -> str:
    """The whole document; `spans` are those of the attempt shown (report["shown_attempt"])."""
    r, title = report, f"outdial demo, {written_at:%Y-%m-%d %H:%M} UTC"
    sections = (
        section("Funnel", _bars((name, r.get(key)) for key, name in FUNNEL.items())),
        section("Dispositions", _bars(r["dispositions"].items())),
        section("People who answered, by the carrier's truth", named_rows(_people(r))),
        section("Why offers were blocked", _bars(r["blocked"].items())),
        section("Connect rate by the callee's local hour", _hours(r["connect_rate_by_local_hour"])),
        section("Latency", _latency(r["latency_ms"])),
        section(f"One attempt: <code>{escape(str(r.get('shown_attempt', '-')))}</code>", _trace(spans), whole=True),
        section("Proofs", named_rows(_proofs(r)), whole=True),
    )
    return whole_page(title, _verdict(r), sections)


def whole_page(title: str, verdict: str, sections: Iterable[str]) -> str:
    """A document with its style in it; `verdict` and `sections` are HTML."""
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}</title>"
    style = f"<style>{STYLE.read_text(encoding='utf-8')}</style>"
    body = f"<main><h1>{escape(title)}</h1>{verdict}<div class=sections>{''.join(sections)}</div></main>"
    return f"<!doctype html><html lang=en><head>{head}{style}</head><body>{body}</body></html>"


def keep(page: str, folder: Path, written_at: datetime) -> Path:
    """Writes the page under the time of its run; of older runs the newest 20 stay."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{written_at:%Y-%m-%dT%H-%M-%SZ}.html"
    path.write_text(page, encoding="utf-8")
    for old in sorted(folder.glob("*T*Z.html"))[:-KEPT_RUNS]:
        old.unlink()
    return path


def _verdict(r: Mapping[str, Any]) -> str:
    if not r["broken"]:
        return "<p class='verdict holds'>✓ The books balance: every identity and invariant holds.</p>"
    broken = "".join(f"<li>{escape(name)}</li>" for name in r["broken"])
    return f"<div class='verdict broken'><p>✗ Does not hold:</p><ul>{broken}</ul></div>"


def _people(r: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    rate, budget, use = r["drop_rate"], r["drop_budget"], r["agent_utilisation"]
    yield "answered", r["humans_answered"]
    yield "connected to an agent in time", r["connected"]
    yield "abandoned", r["abandoned"]
    yield "hung up on as machines", r["hung_up_as_machine"]
    yield "hung up first", r["hung_up_first"]
    yield "drop rate (abandon)", None if rate is None else f"{rate:.1%}, limit {budget['limit']:.1%}"
    yield "drop budget left, in calls", budget["left_calls"]
    yield "lines per agent", r["lines_per_agent"]
    yield "agents' utilisation", None if use is None else f"{use:.0%}"


def _proofs(r: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    ledger, traces = r["ledger"], r["traces"]
    yield "ledger", f"{ledger['records']} records, {'verified' if ledger['verified'] else 'NOT VERIFIED'}"
    yield "one altered byte", r["ledger_altered_byte"]["said"] or "NOT FOUND"
    yield "traces", f"{traces['complete']} of {traces['checked']} complete"
    yield "INVITEs without a redemption", r["invites_without_redemption"]
    yield "phones that rang twice for one attempt", r["duplicate_invites"]
    yield "attempts without a disposition", r["attempts_without_disposition"]
    if r["opt_out"]["attempt_id"]:
        yield (
            "queued person who opted out",
            ("refused at last look" if r["opt_out"]["refused_at_last_look"] else "NOT REFUSED"),
        )
    yield "time", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in r["phase_seconds"].items())


def section(title: str, content: str, *, whole: bool = False) -> str:
    """`title` is HTML."""
    return f"<section{' class=whole' if whole else ''}><h2>{title}</h2><div class=scroll>{content}</div></section>"


def named_rows(rows: Iterable[tuple[str, Any]]) -> str:
    """A table of names and values."""
    lines = "".join(f"<tr><th scope=row>{escape(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows)
    return f"<table><tbody>{lines}</tbody></table>"


def _bars(rows: Iterable[tuple[str, Any]]) -> str:
    known = [(name, int(value or 0)) for name, value in rows]
    most = max((value for _, value in known), default=0) or 1
    lines = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td class=n>{value}</td><td class=bar>{_bar(0, value / most)}</td></tr>"
        for name, value in known
    )
    return f"<table><tbody>{lines}</tbody></table>" if lines else "<p class=aside>None.</p>"


def _hours(hours: Mapping[str, Mapping[str, Any]]) -> str:
    lines = "".join(
        f"<tr><th scope=row>{escape(hour)}:00</th><td class=n>{h['connects']} of {h['attempts']}</td>"
        f"<td class=n>{h['connect_rate'] or 0:.0%}</td><td class=bar>{_bar(0, h['connect_rate'] or 0)}</td></tr>"
        for hour, h in sorted(hours.items())
    )
    heads = (
        "<th scope=col>Hour</th><th scope=col class=n>Connects</th><th scope=col class=n>Rate</th>"
        "<th scope=col>0 to 100 %</th>"
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _latency(latency: Mapping[str, Mapping[str, float] | None]) -> str:
    lines = "".join(
        f"<tr><th scope=row>{escape(name.replace('_', ' '))}</th>"
        + "".join(f"<td class=n>{_text(figures[key] if figures else None)}</td>" for key in ("n", "p50", "p99"))
        + "</tr>"
        for name, figures in latency.items()
    )
    heads = "<td></td>" + "".join(f"<th scope=col class=n>{name}</th>" for name in ("n", "p50, ms", "p99, ms"))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _trace(spans: Iterable[Mapping[str, Any]]) -> str:
    """A row per span on the attempt's time."""
    rows = sorted(spans, key=lambda s: s["start_ns"])[:SHOWN_SPANS]
    if not rows:
        return "<p class=aside>No span of it was collected.</p>"
    first = rows[0]["start_ns"]
    whole = max(1, max(s["end_ns"] for s in rows) - first)
    lines = "".join(
        f"<tr><th scope=row>{escape(s['service'])}</th><td>{escape(s['name'])}</td>"
        f"<td class=n>{(s['start_ns'] - first) / 1e6:.0f} ms</td>"
        f"<td class=bar>{_bar((s['start_ns'] - first) / whole, (s['end_ns'] - s['start_ns']) / whole)}</td></tr>"
        for s in rows
    )
    heads = (
        "<th scope=col>Service</th><th scope=col>Span</th><th scope=col class=n>Begins after</th>"
        "<th scope=col>On the attempt's time</th>"
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _bar(start: float, share: float) -> str:
    """A bar on its track; both in parts of the whole."""
    width = max(share, 0.004)
    left = min(start, 1 - width)
    return (
        "<svg width='100%' height=10 aria-hidden=true><rect class=track width='100%' height=10 rx=2 />"
        f"<rect class=fill x='{left:.2%}' width='{width:.2%}' height=10 rx=2 /></svg>"
    )


def _text(value: Any) -> str:
    return "–" if value is None else escape(str(value))
