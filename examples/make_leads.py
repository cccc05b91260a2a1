"""Writes leads.csv and suppression.csv of this folder: 300 rows, the same bytes every time.

At 2026-11-17T15:00:00Z (10:00 in New York) for seller S1: 247 may be called, 38 are blocked by the rules and 15 are
rejected as rows. The blocked have scores of 0.9 and more, so they are offered early and counted alike in every run. All
numbers are fictional (555-0100 to 555-0199, kept free for such use).
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
from collections.abc import Iterator
from pathlib import Path

COLUMNS = (
    *("lead_id", "person_id", "phone", "default_region", "line_type", "consumer", "country", "region", "segment"),
    *("score", "expires_at", "first_name", "source_list", "consent_level", "consent_purpose", "consent_granted_at"),
    *("consent_source", "consent_captured_at", "consent_ip", "consent_text_sha256", "plan"),
)
OPEN_AREAS = {
    **{"NY": (212, 315, 518, 585, 607, 716, 718, 845, 914), "NJ": (201, 609, 732, 856, 908), "CT": (203, 860)},
    **{"GA": (404, 478, 706, 770, 912), "OH": (216, 330, 419, 513, 614, 740, 937), "VA": (540, 703, 757, 804)},
    **{"NC": (252, 336, 704, 828, 910, 919), "SC": (803, 843, 864), "DC": (202,), "DE": (302,), "VT": (802,)},
    **{"ME": (207,), "NH": (603,), "IL": (217, 309, 312, 618, 630, 708, 773, 815), "WI": (262, 414, 608, 920)},
    **{"IA": (319, 515, 563, 641), "AR": (501, 870), "MN": (218, 320, 507, 612, 651, 763, 952)},
    **{"CO": (303, 719, 970), "MT": (406,)},
}
"""States with one time zone where a call at 15:00Z on a Tuesday is within every window."""
CLOSED_AREAS = {"HI": (808,), "AK": (907,), "CA": (213, 310, 415, 619)}
"""Still before 08:00 there."""
OURS = {"+12125550100", "+12125550101", "+13125550102"}
"""The campaign's callback number and caller ids call nobody."""
NAMES = ("Alex", "Bo", "Casey", "Dana", "Eli", "Flo", "Gray", "Harper", "Indra", "Jo", "Kim", "Lou", "Max", "Noor")
CALLABLE, ON_DNC, OUT_OF_HOURS, WITHOUT_CONSENT = 247, 12, 14, 12
TEXT_SHA256 = hashlib.sha256(b"I agree to be called about my plan.").hexdigest()
Row = dict[str, str]


class Maker:
    """Draws rows from one seeded stream of chance."""

    def __init__(self) -> None:
        self.chance = random.Random(7)
        self.count = 0
        self.open_numbers = self._numbers(OPEN_AREAS, first="+12125550123")
        self.closed_numbers = self._numbers(CLOSED_AREAS)

    def _numbers(self, areas: dict[str, tuple[int, ...]], first: str = "") -> Iterator[tuple[str, str]]:
        made = [(f"+1{a}55501{n:02d}", region) for region, codes in areas.items() for a in codes for n in range(100)]
        self.chance.shuffle(made)
        made.sort(key=lambda item: item[0] != first)
        return iter([item for item in made if item[0] not in OURS])

    def row(self, numbers: Iterator[tuple[str, str]], *, early: bool) -> Row:
        """A row that the rules allow, if its number may be called now."""
        self.count += 1
        number, region = next(numbers)
        segment = "cold" if early else self.chance.choice(("cold", "cold", "cold", "warm", "renewal"))
        score = self.chance.uniform(0.90, 0.99) if early else self.chance.uniform(0.05, 0.74)
        granted = (
            f"2026-0{self.chance.randint(2, 8)}-{self.chance.randint(10, 28)}T{self.chance.randint(10, 20)}:30:00Z"
        )
        return {
            "lead_id": f"L{self.count:04d}",
            "person_id": f"person-{self.count:04d}",
            "phone": number,
            "default_region": "US",
            "line_type": self.chance.choice(("mobile", "mobile", "mobile", "landline", "landline", "voip")),
            "consumer": "true",
            "country": "US",
            "region": region,
            "segment": segment,
            "score": f"{score:.3f}",
            "expires_at": self.chance.choice(("", "2026-12-31T23:59:59Z")),
            "first_name": self.chance.choice(NAMES),
            "source_list": self.chance.choice(("web-2026-q1", "web-2026-q2", "renewals")),
            "consent_level": "pewc",
            "consent_purpose": self.chance.choice(("any", "marketing")),
            "consent_granted_at": granted,
            "consent_source": "web-form",
            "consent_captured_at": granted,
            "consent_ip": f"192.0.2.{self.chance.randint(1, 254)}",
            "consent_text_sha256": TEXT_SHA256,
            "plan": self.chance.choice(("basic", "plus")),
        }

    def rows(self, count: int, numbers: Iterator[tuple[str, str]], *, early: bool = True) -> list[Row]:
        return [self.row(numbers, early=early) for _ in range(count)]


def main() -> None:
    """Writes both files beside this one."""
    maker = Maker()
    callable_rows = maker.rows(CALLABLE, maker.open_numbers, early=False)
    on_dnc = maker.rows(ON_DNC, maker.open_numbers)
    out_of_hours = maker.rows(OUT_OF_HOURS, maker.closed_numbers)
    without_consent = maker.rows(WITHOUT_CONSENT, maker.open_numbers)
    for row in without_consent:
        row.update({name: "" for name in COLUMNS if name.startswith("consent_")}, line_type="mobile")
    lines = [line(row) for row in (*callable_rows, *on_dnc, *out_of_hours, *without_consent)]
    lines += bad_lines(maker)
    maker.chance.shuffle(lines)
    lines += duplicates(maker, callable_rows)
    folder = Path(__file__).parent
    (folder / "leads.csv").write_bytes(b"".join([line(dict(zip(COLUMNS, COLUMNS, strict=True))), *lines]))
    (folder / "suppression.csv").write_bytes(b"".join(suppressions(on_dnc)))


def line(row: Row, *more: str) -> bytes:
    """One CSV line."""
    return csv_line(*(row[name] for name in COLUMNS), *more)


def csv_line(*cells: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def bad_lines(maker: Maker) -> list[bytes]:
    """One row for each way in which a row can be wrong by itself."""
    wrong: tuple[Row, ...] = (
        {"phone": ""},  # MISSING_FIELD
        {"phone": "1-800-FLOWERS"},  # BAD_NUMBER
        {"line_type": "fax"},  # BAD_ENUM
        {"consent_granted_at": "17/03/2026"},  # BAD_TIME
        {"score": "1.7"},  # BAD_SCORE
        {"expires_at": "2026-11-01T00:00:00Z"},  # EXPIRED
        {"first_name": "Maximiliana " * 30},  # TOO_LONG
    )
    rows = [line(maker.row(maker.open_numbers, early=False) | change) for change in wrong]
    too_many = line(maker.row(maker.open_numbers, early=False), "one column", "too many")
    latin_1 = line(maker.row(maker.open_numbers, early=False) | {"first_name": "José"})
    return [*rows, too_many, latin_1.replace("José".encode(), "José".encode("latin-1"))]


def duplicates(maker: Maker, originals: list[Row]) -> list[bytes]:
    """Two rows each that repeat a lead id, a person, a number; they stand last, after what they repeat."""
    rows = maker.rows(6, maker.open_numbers, early=False)
    first, second, third = rows[:2], rows[2:4], rows[4:]
    for row, original in zip(first, originals[10:12], strict=True):
        row["lead_id"] = original["lead_id"]
    for row, original in zip(second, originals[20:22], strict=True):
        row["person_id"] = original["person_id"]
    for row, original in zip(third, originals[30:32], strict=True):
        digits = original["phone"]
        row["phone"] = f"({digits[2:5]}) {digits[5:8]}-{digits[8:]}"
    return [line(row) for row in rows]


def suppressions(on_dnc: list[Row]) -> Iterator[bytes]:
    """Who asked not to be called: by number or as a person, for this seller or for all; and two strangers."""
    yield csv_line("phone", "person_id", "seller_id", "requested_at", "source")
    for n, row in enumerate(on_dnc):
        who = ("", row["person_id"]) if n % 3 == 2 else (row["phone"], "")
        yield csv_line(*who, ("*", "S1")[n % 2], f"2026-10-{10 + n}T12:00:00Z", ("CRM", "WEB_FORM")[n % 2])
    yield csv_line("+16465550199", "", "*", "2026-09-01T09:00:00Z", "IMPORT")
    yield csv_line("", "person-9001", "S1", "2026-09-02T09:00:00Z", "COMPLAINT")


if __name__ == "__main__":
    main()
