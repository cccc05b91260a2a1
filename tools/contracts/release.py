"""Released schemas: schemas/registry.yaml is append-only; a new version must be readable by old readers and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from tools.contracts.sources import SCHEMAS, Contract, ContractError, digest

REGISTRY = SCHEMAS / "registry.yaml"
HEAD = "# Append-only: {id, event, version, file, sha256}. Written by `python -m tools.contracts release`.\n"


@dataclass(frozen=True, kw_only=True)
class Release:
    """One released writer schema."""

    id: int
    event: str
    version: int
    schema: dict[str, Any]


def released() -> list[Release]:
    """Every row of the registry, its file checked against its sha256.

    Raises:
        ContractError: a released file was changed.
    """
    rows = yaml.safe_load(REGISTRY.read_text()) if REGISTRY.exists() else []
    releases = []
    for row in rows or []:
        schema = json.loads((SCHEMAS / row["file"]).read_text())
        if digest(schema) != row["sha256"]:
            raise ContractError(f"{row['file']} was changed after its release; release a new version instead")
        releases.append(Release(id=row["id"], event=row["event"], version=row["version"], schema=schema))
    return releases


def latest(releases: list[Release]) -> dict[str, Release]:
    """The newest release of each event."""
    return {r.event: r for r in sorted(releases, key=lambda r: r.version)}


def append_changed(contract: Contract) -> list[Release]:
    """Releases every event whose schema differs from its newest release; returns what was added."""
    releases = released()
    newest, added = latest(releases), []
    next_id = max((r.id for r in releases), default=0) + 1
    for event in contract.events:
        schema, old = contract.expanded(event), newest.get(event)
        if old is not None and digest(old.schema) == digest(schema):
            continue
        if old is not None:
            check_compatible(event, old.schema, schema)
        added.append(Release(id=next_id, event=event, version=old.version + 1 if old else 1, schema=schema))
        next_id += 1
    _write(added)
    return added


def check_compatible(event: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Full compatibility: a reader of either schema reads records of the other (Avro 1.12, schema resolution).

    Raises:
        ContractError: names the event, the field and the rule that the change breaks.
    """
    _compare(event, old, new)


def _compare(path: str, old: Any, new: Any) -> None:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            for a, b in zip(old, new, strict=True):
                _compare(path, a, b)
            return
        if _name(old) != _name(new):
            raise ContractError(f"{path}: the type changed; a breaking change is a new topic with .v2")
        return
    if old["type"] != new["type"] and not isinstance(old["type"], (dict, list)):
        raise ContractError(f"{path}: the type changed; a breaking change is a new topic with .v2")
    if new["type"] == "enum":
        missing = set(old["symbols"]) - set(new["symbols"])
        if missing:
            raise ContractError(f"{path}: symbols {sorted(missing)} were removed")
    elif new["type"] == "record":
        _compare_fields(path, old, new)
    else:
        for part in ("items", "values"):
            if part in new:
                _compare(path, old[part], new[part])


def _compare_fields(path: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = ({f["name"]: f for f in s["fields"]} for s in (old, new))
    for name, field in after.items():
        if name not in before and "default" not in field:
            raise ContractError(f"{path}.{name}: a field added later must have a default")
    for name, field in before.items():
        if name not in after and "default" not in field:
            raise ContractError(f"{path}.{name}: a field without a default was removed")
        if name in after:
            _compare(f"{path}.{name}", field["type"], after[name]["type"])


def _name(node: Any) -> Any:
    """A named type written out and the same type by reference are one type."""
    return f"{node.get('namespace')}.{node['name']}" if isinstance(node, dict) and "name" in node else node


def _write(added: list[Release]) -> None:
    text = REGISTRY.read_text() if REGISTRY.exists() else HEAD
    for r in added:
        file = f"released/{r.event}/{r.version}.avsc"
        (SCHEMAS / file).parent.mkdir(parents=True, exist_ok=True)
        (SCHEMAS / file).write_text(json.dumps(r.schema, indent=1) + "\n")
        text += f"- {{id: {r.id}, event: {r.event}, version: {r.version}, file: {file}, sha256: {digest(r.schema)}}}\n"
    REGISTRY.write_text(text)
