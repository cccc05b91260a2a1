"""Digest authentication: our answer to a carrier's challenge, and our own challenge to agent phones.

RFC 7616 and RFC 2617: MD5 and SHA-256, qop=auth or none, stale, opaque, nonce counts. Pure: cnonces come as
arguments, and a server nonce is the time it was made, signed, so nothing is stored to recognise it.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from media_gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from media_gateway.sip.uri import split_unquoted

_HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_UNSAFE = re.compile(r"[\"\\\r\n]")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A trunk's user name and password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """What a 401 or 407 asks for."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str = ""
    opaque: str | None = None
    stale: bool = False


def choose_challenge(values: tuple[str, ...]) -> Challenge:
    """The strongest of several challenges that we can answer: SHA-256 before MD5 (RFC 7616 section 3.7).

    Raises:
        RemoteProtocolError: none of them is Digest with an algorithm and qop we know.
    """
    usable = [challenge for value in values if (challenge := _parse_challenge(value)) is not None]
    if not usable:
        raise RemoteProtocolError("no challenge we can answer")
    return max(usable, key=lambda challenge: challenge.algorithm == "SHA-256")


def authorization(
    challenge: Challenge, credentials: Credentials, *, method: str, uri: str, nonce_count: int, cnonce: str
) -> str:
    """The value of Authorization or Proxy-Authorization.

    Raises:
        LocalProtocolError: the user name cannot be quoted.
    """
    if _UNSAFE.search(credentials.username):
        raise LocalProtocolError("a user name may not hold quotes or line breaks")
    digest = _HASHES[challenge.algorithm]
    secret = _hex(digest, f"{credentials.username}:{challenge.realm}:{credentials.password}")
    count = f"{nonce_count:08x}"
    response = _response(digest, secret, challenge.nonce, challenge.qop, count, cnonce, method, uri)
    parts = [
        f'username="{credentials.username}"',
        f'realm="{challenge.realm}"',
        f'nonce="{challenge.nonce}"',
        f'uri="{uri}"',
        f'response="{response}"',
        f"algorithm={challenge.algorithm}",
    ]
    if challenge.qop:
        parts += [f"qop={challenge.qop}", f"nc={count}", f'cnonce="{cnonce}"']
    if challenge.opaque is not None:
        parts.append(f'opaque="{challenge.opaque}"')
    return "Digest " + ", ".join(parts)


class Verdict(StrEnum):
    """What an Authorization header is worth."""

    ACCEPTED = "accepted"
    MISSING = "missing"  # challenge
    STALE = "stale"  # right password, old or replayed nonce: challenge with stale=true
    WRONG = "wrong"  # challenge; the endpoint does not tell which part was wrong


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The verdict, and the user name it is about ("" when none was given)."""

    verdict: Verdict
    username: str = ""


class Authenticator:
    """Verifies agent phones.

    Args:
        realm: what the phones were configured with.
        key: signs nonces; random per boot, so nonces of another boot are stale.
        password_of: the password of a user name, None for an unknown one.
        lifetime_seconds: how long a nonce is good.
    """

    def __init__(
        self, *, realm: str, key: bytes, password_of: Callable[[str], str | None], lifetime_seconds: float = 60.0
    ) -> None:
        self._realm = realm
        self._key = key
        self._password_of = password_of
        self._lifetime_seconds = lifetime_seconds
        self._counts: dict[str, int] = {}
        self._issued = 0

    def challenge(self, now: float, *, stale: bool = False) -> str:
        """A WWW-Authenticate value; MD5, as desk phones rarely know more. `now` in monotonic seconds."""
        self._issued += 1  # two phones challenged in one millisecond must not share a nonce and its counts
        nonce = self._sign(f"{int(now * 1000):x}.{self._issued:x}")
        flag = ", stale=true" if stale else ""
        return f'Digest realm="{self._realm}", nonce="{nonce}", algorithm=MD5, qop="auth"{flag}'

    def verify(self, value: str | None, *, method: str, now: float) -> Verification:
        """Judge an Authorization value for a request of this method at this time (monotonic seconds)."""
        if value is None:
            return Verification(verdict=Verdict.MISSING)
        params = _params(value)
        username = params.get("username", "")
        if not self._response_fits(params, method):
            return Verification(verdict=Verdict.WRONG, username=username)
        fresh = self._is_fresh(params.get("nonce", ""), now) and self._counts_up(params, now)
        return Verification(verdict=Verdict.ACCEPTED if fresh else Verdict.STALE, username=username)

    def _response_fits(self, params: dict[str, str], method: str) -> bool:
        password = self._password_of(params.get("username", ""))
        algorithm = params.get("algorithm", "MD5").upper()
        if params.get("realm") != self._realm or algorithm != "MD5" or params.get("qop") != "auth":
            return False
        secret = _hex(hashlib.md5, f"{params.get('username', '')}:{self._realm}:{password or ''}")
        nonce, count, cnonce, uri = (params.get(name, "") for name in ("nonce", "nc", "cnonce", "uri"))
        expected = _response(hashlib.md5, secret, nonce, "auth", count, cnonce, method, uri)
        matches = hmac.compare_digest(expected.encode(), params.get("response", "").lower().encode("utf-8", "replace"))
        # An unknown user costs the same hash, so the time tells nobody who exists.
        return matches and password is not None

    def _is_fresh(self, nonce: str, now: float) -> bool:
        made, _, _ = nonce.partition("-")
        if not hmac.compare_digest(self._sign(made).encode("utf-8", "replace"), nonce.encode("utf-8", "replace")):
            return False
        return 0 <= now * 1000 - int(made.partition(".")[0], 16) + 1 <= self._lifetime_seconds * 1000 + 1

    def _counts_up(self, params: dict[str, str], now: float) -> bool:
        nonce, text = params["nonce"], params.get("nc", "")
        if not re.fullmatch(r"[0-9a-fA-F]{8}", text) or int(text, 16) <= self._counts.get(nonce, 0):
            return False
        for old in [seen for seen in self._counts if not self._is_fresh(seen, now)]:
            del self._counts[old]
        self._counts[nonce] = int(text, 16)
        return True

    def _sign(self, made: str) -> str:
        return f"{made}-{hmac.new(self._key, made.encode('utf-8', 'replace'), hashlib.sha256).hexdigest()[:32]}"


def username_of(value: str | None) -> str:
    """The user name in an Authorization value, "" when there is none; worth something only once verified."""
    return _params(value or "").get("username", "")


def _parse_challenge(value: str) -> Challenge | None:
    params = _params(value)
    algorithm = params.get("algorithm", "MD5").upper()
    offered = [qop.strip().lower() for qop in params.get("qop", "").split(",") if qop.strip()]
    if (
        algorithm not in _HASHES
        or "nonce" not in params
        or "realm" not in params
        or (offered and "auth" not in offered)
    ):
        return None
    if any(_UNSAFE.search(params.get(name, "")) for name in ("realm", "nonce", "opaque")):
        return None
    return Challenge(
        realm=params["realm"],
        nonce=params["nonce"],
        algorithm=algorithm,
        qop="auth" if offered else "",
        opaque=params.get("opaque"),
        stale=params.get("stale", "").lower() == "true",
    )


def _params(value: str) -> dict[str, str]:
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return {}
    pairs = (part.partition("=") for part in split_unquoted(rest, ","))
    return {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}


def _response(
    digest: Callable[[bytes], "hashlib._Hash"],
    secret: str,
    nonce: str,
    qop: str,
    count: str,
    cnonce: str,
    method: str,
    uri: str,
) -> str:
    request = _hex(digest, f"{method}:{uri}")
    middle = f"{nonce}:{count}:{cnonce}:{qop}" if qop else nonce
    return _hex(digest, f"{secret}:{middle}:{request}")


def _hex(digest: Callable[[bytes], "hashlib._Hash"], text: str) -> str:
    return digest(text.encode("utf-8", "surrogateescape")).hexdigest()
