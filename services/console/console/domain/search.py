"""What was typed into the search box: an attempt or a lead, or a campaign; never a number."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from enum import Enum

from console.domain.campaign_file import CAMPAIGN_ID

DIGITS_OF_A_NUMBER = 7


class Kind(Enum):
    """What a search is for."""

    ID = "id"
    """Of an attempt or of a lead: both are UUIDs."""
    CAMPAIGN = "campaign"
    NUMBER = "number"
    """Looks like a telephone number: refused, and not repeated."""
    NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True)
class Sought:
    """A search in its one spelling; `value` is empty for NUMBER and NOTHING."""

    kind: Kind
    value: str = ""


def sought(typed: str) -> Sought:
    """Reads the box."""
    text = typed.strip()
    try:
        return Sought(kind=Kind.ID, value=str(uuid.UUID(text)))
    except ValueError:
        pass
    if looks_like_a_number(text):
        return Sought(kind=Kind.NUMBER)
    if CAMPAIGN_ID.fullmatch(text.lower()):
        return Sought(kind=Kind.CAMPAIGN, value=text.lower())
    return Sought(kind=Kind.NOTHING)


def looks_like_a_number(text: str) -> bool:
    """Nothing but digits and what people write between them, and enough digits for a telephone number."""
    digits = re.sub(r"[\s().+/-]", "", text)
    return digits.isdigit() and len(digits) >= DIGITS_OF_A_NUMBER
