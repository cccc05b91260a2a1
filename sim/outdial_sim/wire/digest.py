"""HTTP digest for SIP (RFC 3261 section 22, RFC 2617): MD5 with qop=auth or without. Pure."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

NONCE_LIFETIME_SECONDS = 300.0
_PAIR = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


class Verdict(StrEnum):
    """What a server thinks of an Authorization header."""

    ACCEPTED = "accepted"
    MISSING = "missing"
    STALE = "stale"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user name and its password."""

    user: str
    password: str


@dataclass(frozen=True, kw_only=True)
class Guard:
    """The server side; nonces carry their birth and a MAC under `key`, so none are remembered."""

    account: Account
    realm: str
    key: bytes

    def challenge(self, now: float, *, stale: bool = False) -> str:
        """Value of Proxy-Authenticate at unix time `now`."""
        birth = f"{int(now):x}"
        flag = ", stale=true" if stale else ""
        return f'Digest realm="{self.realm}", nonce="{birth}.{self._mac(birth)}", algorithm=MD5, qop="auth"{flag}'

    def check(self, header: str | None, method: str, now: float) -> Verdict:
        """Judge a Proxy-Authorization header of a request with `method`."""
        if header is None:
            return Verdict.MISSING
        fields = parse_fields(header)
        birth, _, mac = fields.get("nonce", "").partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(birth).encode()):
            return Verdict.STALE
        if not 0 <= now - int(birth, 16) + 1 <= NONCE_LIFETIME_SECONDS:
            return Verdict.STALE
        expected = digest(self.account, self.realm, method, fields)
        known = fields.get("username") == self.account.user and fields.get("realm") == self.realm
        matches = hmac.compare_digest(fields.get("response", "").lower().encode(), expected.encode())
        return Verdict.ACCEPTED if known and matches else Verdict.WRONG

    def _mac(self, birth: str) -> str:
        return hmac.new(self.key, birth.encode(), hashlib.sha256).hexdigest()[:24]


def parse_fields(header: str) -> dict[str, str]:
    """The key=value pairs of a challenge or of credentials, keys in lower case."""
    return {name.lower(): quoted or bare for name, quoted, bare in _PAIR.findall(header)}


def credentials(challenge: str, account: Account, *, method: str, uri: str, cnonce: str) -> str:
    """Value of (Proxy-)Authorization that answers `challenge`."""
    offered = parse_fields(challenge)
    fields = {"realm": offered.get("realm", ""), "nonce": offered.get("nonce", ""), "uri": uri}
    tail = ""
    if "auth" in offered.get("qop", "").split(","):
        fields |= {"qop": "auth", "nc": "00000001", "cnonce": cnonce}
        tail = f', qop=auth, nc=00000001, cnonce="{cnonce}"'
    if "opaque" in offered:
        tail += f', opaque="{offered["opaque"]}"'
    answer = digest(account, fields["realm"], method, fields)
    return (
        f'Digest username="{account.user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", '
        f'uri="{uri}", response="{answer}", algorithm=MD5{tail}'
    )


def digest(account: Account, realm: str, method: str, fields: Mapping[str, str]) -> str:
    """The response value (RFC 2617 3.2.2.1); fields: uri, nonce and, with qop, nc, cnonce."""
    secret = _md5(f"{account.user}:{realm}:{account.password}")
    request = _md5(f"{method}:{fields.get('uri', '')}")
    nonce = fields.get("nonce", "")
    if fields.get("qop"):
        middle = f"{nonce}:{fields.get('nc', '')}:{fields.get('cnonce', '')}:{fields['qop']}"
        return _md5(f"{secret}:{middle}:{request}")
    return _md5(f"{secret}:{nonce}:{request}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
