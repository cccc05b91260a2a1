"""`disposition webhook-schema`: the JSON Schema of what webhooks say, as kept in schemas/webhooks/."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from disposition.domain.payloads import BODIES


def webhook_schema() -> str:
    """The document as text. Receivers must bear with members and values that are not in it: both are added."""
    refs, components = msgspec.json.schema_components(BODIES, ref_template="#/$defs/{name}")
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "outdial webhooks",
        "description": "Body of every webhook; `type` says which. Members and enum values may be added.",
        "oneOf": list(refs),
        "$defs": components,
    }
    return json.dumps(document, indent=2) + "\n"
