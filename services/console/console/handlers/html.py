"""HTML by small functions: everything is escaped unless it is Markup, and every page comes under a strict policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from string import Template

from console.handlers.deps import Deps
from outdial_runtime.service import Answer, HttpReply

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFETY = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
HTML = "text/html; charset=utf-8"
NAVIGATION = (("/", "Live"), ("/attempts", "Attempts"), ("/report", "Report"))


class Markup(str):
    """HTML that is safe to send as it is."""

    __slots__ = ()


def html(value: object) -> Markup:
    """Escaped, unless it is Markup; None is an en dash."""
    if isinstance(value, Markup):
        return value
    return Markup(escape("–" if value is None else str(value)))


def join(parts: Iterable[object]) -> Markup:
    """One after the other."""
    return Markup("".join(html(part) for part in parts))


def tag(name: str, *inside: object, **attributes: str | None) -> Markup:
    """An element; `class_` is class, an underscore in another attribute's name is a hyphen."""
    words = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return Markup(f"<{name}{''.join(words)}>{join(inside)}</{name}>")


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> Markup:
    """A table whose first column names its row; where there is none, a sentence says so."""
    lines = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    if not lines:
        return tag("p", empty, class_="empty")
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in heads)))
    drawn = tag("table", tag("caption", caption), head, tag("tbody", *lines))
    return tag("div", drawn, class_="scroll", tabindex="0", role="region", aria_label=caption)


def pairs(rows: Iterable[tuple[str, object]]) -> Markup:
    """Names and values."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_="pairs")


def code(value: object) -> Markup:
    """An id."""
    return tag("code", value)


def link(target: str, text: object) -> Markup:
    """A link within the console."""
    return tag("a", text, href=target)


def moment(at: datetime | str | None) -> Markup:
    """An instant in UTC, to the millisecond."""
    if at is None:
        return html(None)
    when = (at if isinstance(at, datetime) else datetime.fromisoformat(at)).astimezone(UTC)
    shown = f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d} UTC"
    return tag("time", shown, datetime=when.isoformat())


def page(
    title: str, body: object, deps: Deps, *, here: str, status: int = 200, head: object = "", policy: str = POLICY
) -> Answer:
    """A whole page in the layout; `here` is its place in the navigation."""
    items = [
        tag("li", tag("a", text, href=target, aria_current="page" if target == here else None))
        for target, text in NAVIGATION
    ]
    layout = Template(deps.assets["layout.html"].content.decode())
    content = layout.substitute(title=html(title), navigation=join(items), body=html(body), head=html(head))
    headers = {**SAFETY, "content-security-policy": policy}
    return Answer(reply=HttpReply(status=status, body=content, content_type=HTML, headers=headers))


def trouble(status: int, title: str, text: object, deps: Deps, *, here: str = "/attempts") -> Answer:
    """A page that says what is wrong and where to go on."""
    body = join((tag("h1", title), tag("p", text, class_="notice"), tag("p", link("/attempts", "Search again"))))
    return page(title, body, deps, here=here, status=status)
