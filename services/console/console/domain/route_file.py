"""A route document: trunks and toll-fraud limits. Passwords stay in the environment; the document names the variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outdial_contracts.events import Route, Transport, Trunk

TRUNK_KEYS = {
    "trunk_id", "host", "port", "transport", "username", "password_env", "weight", "calls_per_second", "channels",
}  # fmt: skip
ROUTE_KEYS = {"schema", "kind", "route_id", "trunks", "countries", "number_classes", "max_duration_seconds"}


class RouteError(Exception):
    """A route document breaks a rule; the text names field and rule."""


def parse_route(raw: Any) -> Route:
    """The route of a parsed document. Raises RouteError."""
    if not isinstance(raw, Mapping) or raw.get("kind") != "ROUTE":
        raise RouteError("kind: must be ROUTE")
    unknown, missing = sorted(set(raw) - ROUTE_KEYS), sorted(ROUTE_KEYS - {"schema"} - set(raw))
    if unknown or missing:
        raise RouteError(f"unknown keys {unknown}, missing keys {missing}")
    if not isinstance(raw["trunks"], list) or not raw["trunks"]:
        raise RouteError("trunks: must be a list of at least one trunk")
    return Route(
        route_id=str(raw["route_id"]),
        trunks=tuple(_trunk(t, n) for n, t in enumerate(raw["trunks"])),
        countries=_texts(raw, "countries"),
        number_classes=_texts(raw, "number_classes"),
        max_duration_seconds=int(_positive(raw["max_duration_seconds"], "max_duration_seconds")),
    )


def _trunk(raw: Any, place: int) -> Trunk:
    path = f"trunks[{place}]"
    if not isinstance(raw, Mapping) or set(raw) - TRUNK_KEYS or not {"trunk_id", "host", "port"} <= set(raw):
        raise RouteError(f"{path}: must have trunk_id, host, port, and of others only {sorted(TRUNK_KEYS)}")
    transport = str(raw.get("transport", "UDP")).upper()
    if transport != Transport.UDP.value:
        raise RouteError(f"{path}.transport: only UDP is spoken so far")
    return Trunk(
        trunk_id=str(raw["trunk_id"]),
        host=str(raw["host"]),
        port=int(_positive(raw["port"], f"{path}.port")),
        transport=Transport.UDP,
        username=raw.get("username"),
        password_env=raw.get("password_env"),
        weight=int(_positive(raw.get("weight", 1), f"{path}.weight")),
        calls_per_second=float(_positive(raw.get("calls_per_second", 5), f"{path}.calls_per_second")),
        channels=int(_positive(raw.get("channels", 30), f"{path}.channels")),
    )


def _positive(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise RouteError(f"{path}: must be a number above 0")
    return value


def _texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = raw[name]
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise RouteError(f"{name}: must be a list of at least one text")
    return tuple(value)
