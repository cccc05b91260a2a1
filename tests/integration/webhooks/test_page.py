"""docs/webhooks.md: its snippets verify what we sign and refuse what is forged, its examples have the public shape."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "schemas" / "webhooks" / "webhook.schema.json").read_text(encoding="utf-8"))
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = b'{"type":"lead.state","data":{}}'


def blocks(language: str) -> list[str]:
    """Fenced blocks of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def snippet(name: str) -> Callable[..., Any]:
    """A function of the page's Python."""
    for block in blocks("python"):
        if f"def {name}(" in block:
            names: dict[str, Any] = {}
            exec(compile(block, "docs/webhooks.md", "exec"), names)
            found: Callable[..., Any] = names[name]
            return found
    raise LookupError(name)


def headers(*secrets: str, age_seconds: float = 0.0) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    signatures = [Webhook(secret).sign("w1", at, BODY.decode()) for secret in secrets]
    return {
        "webhook-id": "w1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def test_the_pages_receiver_takes_each_webhook_once() -> None:
    taken: set[str] = set()
    assert snippet("take")(SECRET, headers(SECRET), BODY, taken) == json.loads(BODY)
    assert snippet("take")(SECRET, headers(SECRET), BODY, taken) is None


def test_the_pages_receiver_refuses_what_is_forged_or_stale() -> None:
    for forged in (headers(OTHER), headers(SECRET, age_seconds=400)):
        with pytest.raises(WebhookVerificationError):
            snippet("take")(SECRET, forged, BODY, set())


def test_the_verification_without_the_package_agrees_with_it() -> None:
    verified = snippet("verified")
    assert verified(SECRET, headers(SECRET), BODY)
    assert verified(SECRET, headers(OTHER, SECRET), BODY), "while the secret is rotated"
    assert not verified(SECRET, headers(OTHER), BODY)
    assert not verified(SECRET, headers(SECRET), BODY + b" ")
    assert not verified(SECRET, headers(SECRET, age_seconds=400), BODY)
    assert not verified(SECRET, {**headers(SECRET), "webhook-id": "w2"}, BODY)


def test_every_example_of_the_page_has_the_members_of_the_schema() -> None:
    examples = [json.loads(block) for block in blocks("json")]
    bodies = {body["properties"]["type"]["enum"][0]: body for body in map(_definition, SCHEMA["oneOf"])}
    assert [e["type"] for e in examples] == list(bodies)
    for example in examples:
        data = _definition(bodies[example["type"]]["properties"]["data"])
        assert set(example) == {"type", "timestamp", "data"}
        assert list(example["data"]) == list(data["properties"]), "as many, in the same order"
        for name, shape in data["properties"].items():
            if "$ref" in shape:
                assert example["data"][name] in _definition(shape)["enum"], name


def _definition(reference: dict[str, str]) -> Any:
    return SCHEMA["$defs"][reference["$ref"].removeprefix("#/$defs/")]
