"""A route document: trunks and toll-fraud limits. Passwords stay in the environment; it names the variable."""

from __future__ import annotations

from typing import Any

from console.domain.shapes import ShapeError, items, mapping, optional_text, positive, text, whole
from outdial_contracts.events import Route, Transport, Trunk

ROUTE_KEYS = {"kind", "route_id", "trunks", "countries", "number_classes", "max_duration_seconds"}
TRUNK_KEYS = {"trunk_id", "host", "port"}
TRUNK_OPTIONAL = {"transport", "username", "password_env", "weight", "calls_per_second", "channels"}
MOST_CHANNELS = 10_000
LONGEST_CALL_SECONDS = 86_400


def parse_route(raw: Any) -> Route:
    """The route of a parsed document. Raises ShapeError."""
    mapping(raw, "", ROUTE_KEYS, {"schema"})
    if raw["kind"] != "ROUTE":
        raise ShapeError("kind: must be ROUTE")
    trunks = tuple(_trunk(trunk, f"trunks[{n}]") for n, trunk in enumerate(items(raw["trunks"], "trunks")))
    if len({trunk.trunk_id for trunk in trunks}) < len(trunks):
        raise ShapeError("trunks: two have the same trunk_id")
    return Route(
        route_id=text(raw["route_id"], "route_id"),
        trunks=trunks,
        countries=_texts(raw["countries"], "countries"),
        number_classes=_texts(raw["number_classes"], "number_classes"),
        max_duration_seconds=whole(raw["max_duration_seconds"], "max_duration_seconds", 1, LONGEST_CALL_SECONDS),
    )


def _trunk(raw: Any, path: str) -> Trunk:
    mapping(raw, path, TRUNK_KEYS, TRUNK_OPTIONAL)
    if text(raw.get("transport", "UDP"), f"{path}.transport").upper() != Transport.UDP.value:
        raise ShapeError(f"{path}.transport: only UDP is spoken so far")
    return Trunk(
        trunk_id=text(raw["trunk_id"], f"{path}.trunk_id"),
        host=text(raw["host"], f"{path}.host"),
        port=whole(raw["port"], f"{path}.port", 1, 65_535),
        transport=Transport.UDP,
        username=optional_text(raw.get("username"), f"{path}.username"),
        password_env=optional_text(raw.get("password_env"), f"{path}.password_env"),
        weight=whole(raw.get("weight", 1), f"{path}.weight", 1, 1000),
        calls_per_second=positive(raw.get("calls_per_second", 5), f"{path}.calls_per_second"),
        channels=whole(raw.get("channels", 30), f"{path}.channels", 1, MOST_CHANNELS),
    )


def _texts(value: Any, path: str) -> tuple[str, ...]:
    return tuple(text(item, f"{path}[{n}]") for n, item in enumerate(items(value, path)))
