"""RFC 6902 operations add, replace, remove and test, as kustomize's patches use them."""

from __future__ import annotations

from typing import Any


class PatchError(Exception):
    """An operation does not fit the document; the text names operation and path."""


def apply(document: Any, operations: list[dict[str, Any]]) -> None:
    """Changes `document` in place.

    Raises:
        PatchError: an operation we don't know, a path that does not exist, or a test that does not hold.
    """
    for operation in operations:
        _apply(document, operation)


def _apply(document: Any, operation: dict[str, Any]) -> None:
    word, path = operation.get("op"), str(operation.get("path", ""))
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:])
    try:
        target = document
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        _change(target, last, word, operation)
    except (KeyError, IndexError, ValueError, TypeError):
        raise PatchError(f"{word} {path}: no such place in the resource") from None


def _change(target: Any, last: str, word: str | None, operation: dict[str, Any]) -> None:
    key: Any = int(last) if isinstance(target, list) and last != "-" else last
    if word == "add" and isinstance(target, list):
        target.insert(len(target) if key == "-" else key, operation["value"])
    elif word == "add":
        target[key] = operation["value"]
    elif word == "replace":
        target[key]  # must exist
        target[key] = operation["value"]
    elif word == "remove":
        del target[key]
    elif word == "test":
        if target[key] != operation["value"]:
            raise PatchError(f"test {operation['path']}: the value is another")
    else:
        raise PatchError(f"{word} {operation['path']}: want add, replace, remove or test")
