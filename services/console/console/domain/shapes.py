"""What the values of a document must look like. Every error names field and rule; none repeats a value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

E164 = re.compile(r"\+[1-9]\d{7,14}")


class ShapeError(Exception):
    """A value breaks a rule; the text names field and rule."""


def mapping(value: Any, path: str, required: set[str], optional: frozenset[str] | set[str] = frozenset()) -> Any:
    """A mapping with all required keys and of others only the optional ones. Raises ShapeError."""
    if not isinstance(value, Mapping):
        raise ShapeError(f"{path or 'the document'}: must be a mapping, is a {type(value).__name__}")
    at = f"{path}." if path else ""
    unknown = sorted(str(key) for key in value if key not in required and key not in optional)
    if unknown:
        raise ShapeError(f"{at}{unknown[0]}: unknown key")
    missing = sorted(required - set(value))
    if missing:
        raise ShapeError(f"{at}{missing[0]}: must be given")
    return value


def text(value: Any, path: str) -> str:
    """Text that is not blank. Raises ShapeError."""
    if not isinstance(value, str) or not value.strip():
        raise ShapeError(f"{path}: must be text that is not empty")
    return value


def optional_text(value: Any, path: str) -> str | None:
    """Text or nothing. Raises ShapeError."""
    return None if value is None else text(value, path)


def number(value: Any, path: str, least: float, most: float) -> float:
    """A number within bounds. Raises ShapeError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ShapeError(f"{path}: must be a number from {least} to {most}")
    return value


def whole(value: Any, path: str, least: int, most: int) -> int:
    """A whole number within bounds. Raises ShapeError."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ShapeError(f"{path}: must be a whole number from {least} to {most}")
    return value


def positive(value: Any, path: str) -> float:
    """A finite number above 0. Raises ShapeError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ShapeError(f"{path}: must be a number above 0")
    return float(value)


def e164(value: Any, path: str) -> str:
    """A number in E.164. Raises ShapeError."""
    if not isinstance(value, str) or not E164.fullmatch(value):
        raise ShapeError(f"{path}: must be E.164, + and 8 to 15 digits, quoted")
    return value


def items(value: Any, path: str) -> list[Any]:
    """A list of at least one item. Raises ShapeError."""
    if not isinstance(value, list) or not value:
        raise ShapeError(f"{path}: must be a list of at least one item")
    return value
