"""Signer and Clearances are one pair: the world's shared key, and the gate's Ed25519 key with the gateway's reader."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey
from outdial_world.ports.clearances import WorldClearances, WorldSigner

from compliance_gate.adapters.signing import Ed25519Signer
from compliance_gate.ports import Signer
from media_gateway.adapters.clearance_jws import JwsClearances
from media_gateway.ports import Clearances

EXPIRES = 1_800_000_000
CLAIMS: dict[str, Any] = {
    "sub": "attempt-1",
    "lead": "lead-1",
    "country": "US",
    "class": "mobile",
    "modes": ["LIVE_MANUAL", "LIVE_AUTODIALED"],
    "agent_guaranteed": True,
    "aud": "outdial-media-gateway",
    "exp": EXPIRES,
}


class ClearancesSuite(ABC):
    """Inherit it and give `pair` and `stranger`."""

    @pytest.fixture
    @abstractmethod
    def pair(self, tmp_path: Path) -> tuple[Signer, Clearances]:
        """The gate's signer and the gateway's reader."""

    @pytest.fixture
    @abstractmethod
    def stranger(self) -> Signer:
        """A signer with a key that the gateway does not know."""

    def test_claims_that_the_gate_signed_are_read(self, pair: tuple[Signer, Clearances]) -> None:
        signer, clearances = pair
        claims = clearances.claims(signer.sign(CLAIMS))
        assert claims is not None
        assert (claims.attempt_id, claims.country, claims.number_class) == ("attempt-1", "US", "mobile")
        assert claims.modes == frozenset({"LIVE_MANUAL", "LIVE_AUTODIALED"})
        assert claims.agent_guaranteed
        assert claims.expires_at == datetime.fromtimestamp(EXPIRES, UTC)

    def test_gate_reads_back_what_it_signed(self, pair: tuple[Signer, Clearances]) -> None:
        signer, _ = pair
        assert signer.verify(signer.sign(CLAIMS)) == CLAIMS

    def test_same_claims_give_the_same_token(self, pair: tuple[Signer, Clearances]) -> None:
        signer, _ = pair
        assert signer.sign(CLAIMS) == signer.sign(dict(reversed(CLAIMS.items())))

    @pytest.mark.parametrize("change", [{"aud": "somebody-else"}, {"exp": "soon"}, {"modes": None}])
    def test_token_that_is_not_for_gateways_or_misses_something_counts_nothing(
        self, pair: tuple[Signer, Clearances], change: dict[str, Any]
    ) -> None:
        signer, clearances = pair
        assert clearances.claims(signer.sign(CLAIMS | change)) is None

    def test_strangers_signature_counts_nothing(self, pair: tuple[Signer, Clearances], stranger: Signer) -> None:
        signer, clearances = pair
        token = stranger.sign(CLAIMS)
        assert clearances.claims(token) is None
        assert signer.verify(token) is None

    def test_changed_token_counts_nothing(self, pair: tuple[Signer, Clearances]) -> None:
        signer, clearances = pair
        header, payload, signature = signer.sign(CLAIMS).split(".")
        other = signer.sign(CLAIMS | {"country": "CA"}).split(".")[1]
        for token in (f"{header}.{other}.{signature}", f"{header}.{payload}.{signature[:-4]}AAAA", "not.a.token", ""):
            assert clearances.claims(token) is None
            assert signer.verify(token) is None


class TestWorldClearances(ClearancesSuite):
    @pytest.fixture
    def pair(self, tmp_path: Path) -> tuple[Signer, Clearances]:
        signer = WorldSigner()
        return signer, WorldClearances(signer)

    @pytest.fixture
    def stranger(self) -> Signer:
        return WorldSigner(b"another key")


class TestJwsClearances(ClearancesSuite):
    @pytest.fixture
    def pair(self, tmp_path: Path) -> tuple[Signer, Clearances]:
        signer = Ed25519Signer(OKPKey.generate_key("Ed25519", {"kid": "k1"}, auto_kid=False))
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps(signer.public_keys()))
        return signer, JwsClearances(file)

    @pytest.fixture
    def stranger(self) -> Signer:
        return Ed25519Signer(OKPKey.generate_key("Ed25519", {"kid": "k1"}, auto_kid=False))
