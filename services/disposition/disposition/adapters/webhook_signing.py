"""Signatures of the Standard Webhooks specification, by its own package: one for each secret of an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook as Scheme

from disposition.ports import SecretAbsent


def real_time() -> datetime:
    """The machine's time, which the receiver compares the timestamp with; the domain's clock may be shifted."""
    return datetime.now(UTC)


class StandardSigner:
    """Implements ports.Signer."""

    def __init__(
        self, secrets: Mapping[str, tuple[str, ...]], *, real_time: Callable[[], datetime] = real_time
    ) -> None:
        self._schemes = {name: tuple(Scheme(secret) for secret in values) for name, values in secrets.items()}
        self._real_time = real_time

    def headers(self, secret_env: str | None, webhook_id: str, body: str) -> dict[str, str]:
        """The three headers; while a secret is rotated, two signatures with a space between them."""
        schemes = self._schemes.get(secret_env or "", ())
        if not schemes:
            raise SecretAbsent(f"{secret_env or 'webhook.secret_env'} is not set")
        at = self._real_time()
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(scheme.sign(webhook_id, at, body) for scheme in schemes),
        }
