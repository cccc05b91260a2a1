"""Where a webhook may be sent: a campaign's author names the URL, and must not reach into our own network (SSRF)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from disposition.domain.delivery import Trouble

Address = IPv4Address | IPv6Address
NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the deployment allows beside https to public addresses."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Allowed although they are not public."""
    plain_http: bool = False
    """http also to addresses that are not loopback."""


def host_and_port(url: str) -> tuple[str, int] | None:
    """Of an http or https URL, or None when it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


def refusal(url: str, addresses: Sequence[Address], policy: Policy) -> Trouble | None:
    """Why nothing is sent there, or None. Every address of the host must be allowed, or none is used."""
    inner = [_embedded(address) for address in addresses]
    if any(not a.is_global and not _listed(a, policy) for a in inner) or any(a.is_multicast for a in inner):
        return Trouble.ADDRESS_REFUSED
    plain = urlsplit(url).scheme != "https"
    if plain and not policy.plain_http and not all(a.is_loopback for a in inner):
        return Trouble.URL_REFUSED
    return None


def _listed(address: Address, policy: Policy) -> bool:
    return any(address.version == network.version and address in network for network in policy.networks)


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
