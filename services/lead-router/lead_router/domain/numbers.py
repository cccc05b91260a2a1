"""Written numbers to E.164, and the shape of a value that may not be repeated.

Normalisation is libphonenumber's (the `phonenumbers` package). RULES.md 4.1 allows no ASCII letter, where
libphonenumber would expand vanity letters and accept an extension; the gate looks +1 area codes up in its own table.
"""

from __future__ import annotations

import re

import phonenumbers

LETTER = re.compile(r"[A-Za-z]")
REGION = re.compile(r"[A-Z]{2}")


class BadNumber(ValueError):
    """The text is no dialable number; its message is the shape only."""


def to_e164(written: str, default_region: str) -> str:
    """E.164 of a number in any written form; `default_region` (ISO 3166) is for numbers without a leading +.

    Raises:
        BadNumber: letters, an extension, or not a valid number of its country.
    """
    if LETTER.search(written):
        raise BadNumber(shape(written))
    try:
        parsed = phonenumbers.parse(written, default_region)
    except phonenumbers.NumberParseException:
        raise BadNumber(shape(written)) from None
    if parsed.extension or not phonenumbers.is_valid_number(parsed):
        raise BadNumber(shape(written))
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def is_region(text: str) -> bool:
    """Whether numbers of this ISO 3166 region can be parsed."""
    return REGION.fullmatch(text) is not None and phonenumbers.country_code_for_region(text) != 0


def shape(value: str) -> str:
    """What a value looks like, without the value: `12 characters, 11 digits, leading +`."""
    counts = {
        "digits": sum(c.isascii() and c.isdigit() for c in value),
        "letters": sum(c.isalpha() for c in value),
        "spaces": sum(c.isspace() for c in value),
    }
    parts = [f"{len(value)} characters", *(f"{n} {what}" for what, n in counts.items() if n)]
    return ", ".join([*parts, "leading +"] if value.startswith("+") else parts)
