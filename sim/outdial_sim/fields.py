"""Reading a decoded YAML mapping strictly: every error names the field and the rule it breaks."""

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

Choice = TypeVar("Choice", bound=StrEnum)


class ScenarioError(ValueError):
    """A scenario file breaks a rule; the message is `field: rule` and never holds a phone number."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


@dataclass(frozen=True)
class Fields:
    """A mapping whose keys are all known; accessors check type and bounds."""

    name: str
    values: dict[str, Any]

    @classmethod
    def of(cls, document: object, name: str, known: AbstractSet[str]) -> "Fields":
        """Check that `document` is a mapping with known keys only. Raises ScenarioError."""
        if not isinstance(document, dict):
            raise ScenarioError(name, "must be a mapping")
        unknown = sorted(str(key) for key in document if key not in known)
        if unknown:
            raise ScenarioError(f"{name}.{unknown[0]}", f"unknown key; known are {', '.join(sorted(known))}")
        return cls(name, document)

    def names(self) -> list[str]:
        """The keys present, in file order."""
        return list(self.values)

    def required(self, key: str) -> Any:
        """The value of a key that must be present."""
        if key not in self.values:
            raise ScenarioError(f"{self.name}.{key}", "is required")
        return self.values[key]

    def optional(self, key: str, default: Any) -> Any:
        """The value of a key, or `default` when it is absent."""
        return self.values.get(key, default)

    def refuse(self, keys: AbstractSet[str], rule: str) -> None:
        """Raise when one of `keys` is present."""
        for key in sorted(keys):
            if key in self.values:
                raise ScenarioError(f"{self.name}.{key}", rule)

    def integer(self, key: str, *, low: int | None = None, high: int | None = None) -> int:
        """A required whole number within [low, high]."""
        value = self.required(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ScenarioError(f"{self.name}.{key}", "must be a whole number")
        self._bounds(key, value, low, high)
        return value

    def number(
        self, key: str, default: float | None = None, *, low: float | None = None, high: float | None = None
    ) -> float:
        """A finite number within [low, high]; required when there is no default."""
        value = self.required(key) if default is None else self.optional(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ScenarioError(f"{self.name}.{key}", "must be a number")
        self._bounds(key, value, low, high)
        return float(value)

    def boolean(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self.optional(key, default)
        if not isinstance(value, bool):
            raise ScenarioError(f"{self.name}.{key}", "must be true or false")
        return value

    def text(self, key: str) -> str:
        """A required, non-empty string."""
        value = self.required(key)
        if not isinstance(value, str) or not value:
            raise ScenarioError(f"{self.name}.{key}", "must be a non-empty text")
        return value

    def choice(self, key: str, kind: type[Choice]) -> Choice:
        """A required member of an enum."""
        value = self.required(key)
        if value not in list(kind):
            raise ScenarioError(f"{self.name}.{key}", f"must be one of {', '.join(kind)}")
        return kind(value)

    def _bounds(self, key: str, value: float, low: float | None, high: float | None) -> None:
        if low is not None and value < low:
            raise ScenarioError(f"{self.name}.{key}", f"must be >= {low}")
        if high is not None and value > high:
            raise ScenarioError(f"{self.name}.{key}", f"must be <= {high}")
