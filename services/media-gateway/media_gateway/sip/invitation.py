"""What to call and as whom, and the INVITE that says so; the credentials of the call live beside it."""

from dataclasses import dataclass, field

from media_gateway.sip.dialog import ALLOW, LocalIdentity
from media_gateway.sip.digest import Challenge, Credentials, authorization, choose_challenge
from media_gateway.sip.errors import RemoteProtocolError
from media_gateway.sip.message import Headers, Request, Response
from media_gateway.sip.sdp import SessionDescription
from media_gateway.sip.uri import Address


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """One call to place.

    Args:
        call_id: `{attempt_id}.{leg_no}@host`.
        destination: the carrier's IP address and port.
        target: the request URI, e.g. `sip:+12125550123@carrier.example`; holds the callee's number.
        caller: the From URI without brackets, e.g. `sip:+12125550100@gateway.example`.
        display: the From display name.
        sdp: our offer.
        credentials: for a 401 or 407; None ends the call with that status.
        headers: further headers of the INVITE, e.g. X-Traceparent, P-Asserted-Identity.
    """

    call_id: str
    destination: Address
    target: str = field(repr=False)
    caller: str
    display: str = ""
    sdp: SessionDescription
    credentials: Credentials | None = None
    headers: Headers = field(default=(), repr=False)


class Authorizer:
    """Answers the challenges of one call and keeps count of the nonce's uses."""

    def __init__(self, credentials: Credentials | None, identity: LocalIdentity) -> None:
        self._credentials = credentials
        self._identity = identity
        self._challenge: Challenge | None = None
        self._header = "Authorization"
        self._nonce_count = 0

    @property
    def challenged(self) -> bool:
        """A challenge was learned."""
        return self._challenge is not None

    @property
    def stale(self) -> bool:
        """The newest challenge says that only the nonce was old."""
        return self._challenge is not None and self._challenge.stale

    def learn(self, response: Response) -> bool:
        """Take the challenge of a 401 or 407; False when it cannot be answered."""
        proxy = response.status == 407
        if self._credentials is None:
            return False
        try:
            challenge = choose_challenge(response.every("Proxy-Authenticate" if proxy else "WWW-Authenticate"))
        except RemoteProtocolError:
            return False
        self._challenge, self._nonce_count = challenge, 0
        self._header = "Proxy-Authorization" if proxy else "Authorization"
        return True

    def headers(self, method: str, uri: str) -> Headers:
        """The credentials for one request, nothing before the first challenge."""
        if self._challenge is None or self._credentials is None:
            return ()
        self._nonce_count += 1
        value = authorization(
            self._challenge,
            self._credentials,
            method=method,
            uri=uri,
            nonce_count=self._nonce_count,
            cnonce=self._identity.new_token(),
        )
        return ((self._header, value),)


def build_invite(
    invitation: Invitation, *, identity: LocalIdentity, tag: str, cseq: int, credentials: Headers
) -> Request:
    """The INVITE with a branch of its own."""
    quoted = invitation.display.replace("\\", "\\\\").replace('"', '\\"')
    display = f'"{quoted}" ' if quoted else ""
    return Request(
        method="INVITE",
        uri=invitation.target,
        headers=(
            identity.via(),
            ("Max-Forwards", "70"),
            ("From", f"{display}<{invitation.caller}>;tag={tag}"),
            ("To", f"<{invitation.target}>"),
            ("Call-ID", invitation.call_id),
            ("CSeq", f"{cseq} INVITE"),
            identity.contact(),
            ("Allow", ALLOW),
            identity.agent(),
            *credentials,
            *invitation.headers,
            ("Content-Type", "application/sdp"),
        ),
        body=invitation.sdp.to_bytes(),
    )
