"""The pages' own files, and the demo's reports: each report in a frame of its own, without scripts."""

from __future__ import annotations

from console.handlers.deps import Deps
from console.handlers.html import HTML, POLICY, join, link, moment, page, tag, trouble
from outdial_runtime.service import Answer, HttpReply, Request

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'self'"
"""A report is one file with its styles in it; it runs nothing and fetches nothing."""
NOT_SERVED = frozenset({"layout.html", "board.html"})


async def on_asset(request: Request, deps: Deps) -> Answer:
    """GET /pages/{name}; 304 when the browser has it."""
    name = request.path["name"]
    asset = deps.assets.get(name) if name not in NOT_SERVED else None
    if asset is None:
        return trouble(404, "No such file", "The pages have no such file.", deps, here="")
    headers = {"etag": asset.etag, "cache-control": "no-cache", "x-content-type-options": "nosniff"}
    if request.headers.get("if-none-match") == asset.etag:
        return Answer(reply=HttpReply(status=304, headers=headers))
    return Answer(reply=HttpReply(body=asset.content, content_type=asset.content_type, headers=headers))


async def on_favicon(request: Request, deps: Deps) -> Answer:
    """GET /favicon.ico: asked for by browsers whatever the page says."""
    asset = deps.assets["icon.svg"]
    return Answer(reply=HttpReply(body=asset.content, content_type=asset.content_type))


async def on_report(request: Request, deps: Deps) -> Answer:
    """GET /report?run=NAME: the newest run unless another is named."""
    reports = deps.reports.newest_first()
    if not reports:
        hint = ("No report yet: ", tag("code", "make demo"), " writes one when it is done. ")
        where = "The console looks into the folder that OUTDIAL_REPORTS_DIR names."
        return page("Report", join((tag("h1", "Report"), tag("p", *hint, where, class_="empty"))), deps, here="/report")
    shown = next((r for r in reports if r.name == request.query.get("run")), reports[0])
    runs = [
        tag("li", link(f"/report?run={r.name}", moment(r.written_at)), " (shown)" if r is shown else "")
        for r in reports
    ]
    # Same origin so that it is painted and printed with the page; no scripts, as its own policy says too.
    title = f"Report of the run {shown.name}"
    frame = tag("iframe", src=f"/reports/{shown.name}", title=title, sandbox="allow-same-origin")
    others = tag("details", tag("summary", f"{len(reports)} runs, the newest first"), tag("ul", *runs))
    body = join((tag("h1", "Report of a demo run"), others, frame))
    return page("Report", body, deps, here="/report", policy=f"{POLICY}; frame-src 'self'")


async def on_report_frame(request: Request, deps: Deps) -> Answer:
    """GET /reports/{name}: the file as it was written."""
    content = deps.reports.read(request.path["name"])
    if content is None:
        return trouble(404, "No such report", "The folder of reports has no such file.", deps, here="/report")
    headers = {"content-security-policy": REPORT_POLICY, "cache-control": "no-store"}
    return Answer(reply=HttpReply(body=content, content_type=HTML, headers=headers))
