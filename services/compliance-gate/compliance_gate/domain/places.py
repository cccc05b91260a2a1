"""From number and address to countries, jurisdictions and time zones (RULES.md 4.1 to 4.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfoNotFoundError

from compliance_gate.domain.local_time import zone
from compliance_gate.domain.rules import Geography, Numbering, NumberZone, RulePack
from outdial_contracts.events import Address

SEPARATORS = re.compile("[ \u00a0().\\-/]")
DIGITS = re.compile(r"\+?[0-9]+")
NANP = re.compile(r"\+1[2-9][0-9]{2}[2-9][0-9]{6}")
OTHER = re.compile(r"\+[2-9][0-9]{7,14}")
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


def normalise(phone: str, default_region: str, geography: Geography) -> str | None:
    """E.164, or None when the number is invalid (RULES.md 4.1)."""
    text = SEPARATORS.sub("", phone.strip())
    if not DIGITS.fullmatch(text):
        return None
    if not text.startswith("+"):
        international = _international(text, default_region, geography)
        if international is None:
            return None
        text = international
    if text.startswith("+1"):
        return text if NANP.fullmatch(text) and text[2:5] in geography.areas else None
    numbering = _numbering(text, geography)
    if numbering is None:
        return text if OTHER.fullmatch(text) else None
    return text if re.fullmatch(numbering.national, text[1 + len(numbering.code) :]) else None


def _international(digits: str, region: str, geography: Geography) -> str | None:
    if region in ("US", "CA"):
        if len(digits) == 10:
            return f"+1{digits}"
        return f"+{digits}" if len(digits) == 11 and digits.startswith("1") else None
    code = next((n.code for n in geography.numberings if n.country == region), None)
    return None if code is None else f"+{code}{digits.removeprefix('0')}"


def _numbering(e164: str, geography: Geography) -> Numbering | None:
    return next((n for n in geography.numberings if e164.startswith(n.code, 1)), None)


def locate(e164: str, address: Address, pack: RulePack) -> Place:
    """Countries, jurisdictions and zones of a valid number and an address that may be empty (RULES.md 4.2, 4.3)."""
    geography = pack.geography
    number = _of_number(e164, geography)
    address_region = _address_region(address)
    countries = frozenset(filter(None, (number.country, address.country)))
    zones = frozenset(_address_zones(address, address_region, geography))
    if number.strong or not zones:
        zones |= frozenset(number.zones)
    return Place(
        e164=e164,
        number_class=number.kind,
        destination_prefix=number.prefix,
        countries=countries,
        jurisdictions=countries | frozenset(filter(None, (number.region, address_region))),
        zones=zones if all(map(_is_zone, zones)) else frozenset(),
        region=number.region or address_region or None,
    )


@dataclass(frozen=True, kw_only=True)
class _OfNumber:
    country: str
    kind: str
    prefix: str
    region: str = ""
    zones: tuple[str, ...] = ()
    strong: bool = True


def _of_number(e164: str, geography: Geography) -> _OfNumber:
    if e164.startswith("+1"):
        area = geography.areas[e164[2:5]]
        return _OfNumber(country=area.country, region=area.region, kind=area.kind, zones=area.zones, prefix=e164[:5])
    numbering = _numbering(e164, geography)
    if numbering is None:
        return _OfNumber(country=UNSUPPORTED, kind="foreign", prefix=e164[:3])
    national = e164[1 + len(numbering.code) :]
    told = next((z for z in numbering.zones if national.startswith(z.prefix)), NumberZone(prefix="", zones=()))
    prefix = f"+{numbering.code}"
    kind = "geographic" if told.strong else "mobile"
    return _OfNumber(country=numbering.country, kind=kind, zones=told.zones, strong=told.strong, prefix=prefix)


def _address_region(address: Address) -> str:
    if not address.country or not address.region:
        return ""
    prefix = f"{address.country}-"
    return address.region if address.region.startswith(prefix) else prefix + address.region


def _address_zones(address: Address, region: str, geography: Geography) -> tuple[str, ...]:
    if address.time_zone:
        return (address.time_zone,)
    country = address.country or ""
    if region in geography.region_zones:
        return geography.region_zones[region]
    other = geography.other_region_zones.get(country, ()) if region else ()
    return other or geography.country_zones.get(country, ())


def _is_zone(name: str) -> bool:
    """Whether the pinned data know it: an address with a zone of no such name tells nothing (GATE-TZ)."""
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
