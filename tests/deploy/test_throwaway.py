"""`python -m tools.manifests secrets` makes all that external.yaml lists, and the services can use it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from compliance_gate.adapters.signing import Ed25519Signer
from compliance_gate.config import Config
from media_gateway.adapters.clearance_jws import JwsClearances
from tools.contracts.sources import ROOT
from tools.manifests import throwaway
from tools.manifests.findings import K8S

CLAIMS: dict[str, Any] = {
    "sub": "7e4b7a0e-0000-5000-8000-000000000001",
    "aud": "outdial-media-gateway",
    "country": "US",
    "class": "GEOGRAPHIC",
    "modes": ["LIVE_AUTODIALED"],
    "agent_guaranteed": False,
    "exp": 1_800_000_000,
}


def made() -> dict[tuple[str, str], dict[str, str]]:
    """(kind, name) -> its values."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for body in yaml.safe_load_all(throwaway.documents()):
        plain: dict[str, Any] = body.get("data", {})
        is_secret = body["kind"] == "Secret"
        values = {k: base64.b64decode(v).decode() if is_secret else v for k, v in plain.items()}
        found[body["kind"], body["metadata"]["name"]] = values | body.get("binaryData", {})
    return found


def test_everything_external_is_made_with_its_keys() -> None:
    external = yaml.safe_load((ROOT / K8S / "external.yaml").read_text())
    wanted = {("Secret", name): set(keys) for name, keys in external["secrets"].items()}
    wanted |= {("ConfigMap", name): set(keys) for name, keys in external["config_maps"].items()}
    have = made()
    assert have.keys() == wanted.keys()
    for name, keys in wanted.items():
        assert keys <= have[name].keys()


def test_no_two_runs_share_a_secret() -> None:
    first, second = made(), made()
    for name in (n for n in first if n[0] == "Secret"):
        assert not set(first[name].values()) & set(second[name].values())


def test_the_gateway_believes_what_the_gate_signs_with_it(tmp_path: Path) -> None:
    have = made()
    signing, public = tmp_path / "signing.jwk", tmp_path / "jwks.json"
    signing.write_text(have["Secret", "clearance-signing"]["signing.jwk"])
    public.write_text(have["ConfigMap", "clearance-jwks"]["jwks.json"])
    environment = {
        "OUTDIAL_POSTGRES_DSN": have["Secret", "compliance-gate-postgres"]["dsn"],
        "OUTDIAL_TOKEN_KEYS": have["Secret", "token-keys"]["keys"],
        "OUTDIAL_SIGNING_KEY_FILE": str(signing),
    }
    believed = JwsClearances(public)
    ours = Ed25519Signer.load(Config.from_env(environment).signing_key_file)
    claims = believed.claims(ours.sign(CLAIMS))
    assert claims is not None
    assert claims.attempt_id == CLAIMS["sub"]
    signing.write_text(made()["Secret", "clearance-signing"]["signing.jwk"])
    assert believed.claims(Ed25519Signer.load(signing).sign(CLAIMS)) is None
