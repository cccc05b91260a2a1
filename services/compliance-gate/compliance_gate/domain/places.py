"""From number and address to countries, jurisdictions and time zones (RULES.md 4.1 to 4.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from compliance_gate.domain.rules import Area, RulePack
from outdial_contracts.events import Address

SEPARATORS = re.compile(r"[\s\u00a0().\-/]")
NANP = re.compile(r"\+1[2-9]\d\d[2-9]\d{6}")
OTHER = re.compile(r"\+[2-9]\d{7,14}")
COUNTRY_CODES = {"44": "GB", "33": "FR", "49": "DE", "34": "ES", "61": "AU", "91": "IN"}
UNSUPPORTED = "ZZ"
"""A country that no pack covers, whichever it is."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a call would ring, as far as number and address tell."""

    e164: str
    number_class: str
    destination_prefix: str
    """Country code and area code, never more."""
    countries: frozenset[str]
    jurisdictions: frozenset[str]
    """Countries and regions whose rules apply."""
    zones: frozenset[str]
    """Every window is tested in each of them."""
    region: str | None
    """Region of the number, else of the address."""


def normalise(phone: str, default_region: str, areas: Mapping[str, Area]) -> str | None:
    """E.164, or None when the number is invalid (RULES.md 4.1)."""
    text = SEPARATORS.sub("", phone.strip())
    if not text.startswith("+"):
        if default_region not in ("US", "CA"):
            return None
        text = f"+1{text}" if len(text) == 10 else f"+{text}"
    if not text.isascii():
        return None
    if text.startswith("+1"):
        return text if NANP.fullmatch(text) and text[2:5] in areas else None
    return text if OTHER.fullmatch(text) else None


def locate(e164: str, address: Address, pack: RulePack) -> Place:
    """Countries, jurisdictions and zones of a valid number and an address that may be empty."""
    area = pack.areas[e164[2:5]] if e164.startswith("+1") else _elsewhere(e164)
    address_region = _address_region(address)
    countries = frozenset(filter(None, (area.country, address.country)))
    address_zones = _address_zones(address, address_region, pack)
    return Place(
        e164=e164,
        number_class=area.kind,
        destination_prefix=e164[:5] if e164.startswith("+1") else e164[:3],
        countries=countries,
        jurisdictions=countries | frozenset(filter(None, (area.region, address_region))),
        zones=frozenset(address_zones) | frozenset(area.zones),
        region=area.region or address_region or None,
    )


def _elsewhere(e164: str) -> Area:
    country = COUNTRY_CODES.get(e164[1:3], UNSUPPORTED)
    return Area(country=country, region="", kind="foreign", zones=())


def _address_region(address: Address) -> str:
    if not address.country or not address.region:
        return ""
    prefix = f"{address.country}-"
    return address.region if address.region.startswith(prefix) else prefix + address.region


def _address_zones(address: Address, region: str, pack: RulePack) -> tuple[str, ...]:
    if address.time_zone:
        return (address.time_zone,)
    return pack.region_zones.get(region, ())
