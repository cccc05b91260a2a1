"""What deploy/k8s/external.yaml lists, freshly made, for a cluster that is thrown away; kept in no file."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import yaml
from joserfc.jwk import OKPKey

from tools.contracts.sources import ROOT
from tools.manifests.services import WITH_DATABASE

PROMPTS = ROOT / "examples" / "prompts"
DATABASE = "postgres:5432/outdial"
"""Service and database of the local overlay."""


def documents() -> str:
    """YAML of every external Secret and ConfigMap; pipe it into `kubectl apply -n NAMESPACE -f -`."""
    passwords = {service: secrets.token_hex(16) for service in sorted(WITH_DATABASE)}
    key = OKPKey.generate_key("Ed25519", {"kid": secrets.token_hex(6)})
    made = [
        *(
            _secret(f"{service}-postgres", {"dsn": f"postgresql://{service}:{password}@{DATABASE}"})
            for service, password in passwords.items()
        ),
        _secret("postgres-roles", passwords),
        _secret("postgres-admin", {"password": secrets.token_hex(16)}),
        _secret("token-keys", {"keys": f"1:{secrets.token_hex(32)}"}),
        _secret("clearance-signing", {"signing.jwk": json.dumps(key.as_dict(private=True))}),
        _secret("agent-secret", {"secret": secrets.token_hex(16)}),
        _secret("trunk-passwords", {}),
        _secret("webhook-secrets", {}),
        _config_map("clearance-jwks", data={"jwks.json": json.dumps({"keys": [key.as_dict(private=False)]})}),
        _config_map("prompts", binaryData={p.name: _base64(p.read_bytes()) for p in sorted(PROMPTS.glob("*.wav"))}),
    ]
    return yaml.safe_dump_all(made, sort_keys=False)


def _secret(name: str, values: dict[str, str]) -> dict[str, Any]:
    data = {key: _base64(value.encode()) for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def _config_map(name: str, **held: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **held}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
