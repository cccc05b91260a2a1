"""Which address of a peer's description a socket can send to."""

from __future__ import annotations

import ipaddress

Address = tuple[str, int]


def reachable(host: str, port: int, local_host: str) -> Address | None:
    """The address, or None for a name, another IP family, a hold (0.0.0.0) or a refused stream (port 0)."""
    try:
        remote, local = ipaddress.ip_address(host), ipaddress.ip_address(local_host)
    except ValueError:
        return None
    usable = port > 0 and remote.version == local.version and not remote.is_unspecified
    return (host, port) if usable else None
