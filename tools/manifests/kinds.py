"""Each resource against the schema of its kind: Kubernetes' own (strict, kubernetes-validate), or ours for CRDs."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from kubernetes_validate import utils as shipped
from referencing import Registry
from referencing import Resource as SchemaResource

from tools.manifests.findings import Finding, Resource

KUBERNETES = "1.37"
STRICT = f"kubernetes-json-schema/v{KUBERNETES}.0-local-strict"
OURS = Path(__file__).parent / "schemas"
"""Small ones, named by kind."""


def findings(resource: Resource) -> Iterator[Finding]:
    """Every violation of the schema, each with the field it is at."""
    validator = validator_of(resource.kind, str(resource.body["apiVersion"]))
    if validator is None:
        yield resource.finding("kind", f"{resource.body['apiVersion']} {resource.kind} is no kind we know a schema of")
        return
    yield from (resource.finding(path, rule) for path, rule in violations(validator, resource.body))


def violations(validator: Any, body: Any) -> Iterable[tuple[str, str]]:
    """(field, rule) of every violation, by the field's place."""
    errors = sorted(validator.iter_errors(body), key=lambda e: [str(p) for p in e.absolute_path])
    return [(".".join(str(p) for p in e.absolute_path) or "(top)", " ".join(e.message.split())[:300]) for e in errors]


@functools.cache
def validator_of(kind: str, api_version: str) -> Any:
    """The validator of a kind, or None where there is no schema."""
    own = OURS / f"{kind.lower()}.json"
    if own.exists():
        return jsonschema.Draft202012Validator(json.loads(own.read_text()))
    group, _, version = api_version.rpartition("/")
    name = "-".join(filter(None, (kind.lower(), group.split(".")[0], version)))
    try:
        schema = shipped.schema_contents(f"{STRICT}/{name}.json", KUBERNETES)
    except FileNotFoundError:
        return None
    return jsonschema.Draft202012Validator(schema, registry=SchemaResource.from_contents(schema) @ _definitions())


@functools.cache
def _definitions() -> Registry[Any]:
    registry: Registry[Any] = Registry()
    return SchemaResource.from_contents(shipped.schema_contents(f"{STRICT}/_definitions.json", KUBERNETES)) @ registry
