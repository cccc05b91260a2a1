"""leads.csv by HTTP: every row is a lead or an error with row, reason, field and shape; never the value."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from bad_input.stand_in import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
HEADER = "lead_id,person_id,phone,line_type,consumer,country,segment,score,expires_at,first_name,consent_level"
GOOD = ("C001,csv-person-1,+19175550101,landline,false,US,warm,0.5,,Ann,", None, None)
ROWS: list[tuple[str, str | None, str | None]] = [
    GOOD,
    (",csv-person-2,+19175550102,,,,,,,,", "MISSING_FIELD", "lead_id"),
    ("C003,,+19175550103,,,,,,,,", "MISSING_FIELD", "person_id"),
    ("C004,csv-person-4,,,,,,,,,", "MISSING_FIELD", "phone"),
    ("C005,csv-person-5,917-CALL-NOW,,,,,,,,", "BAD_NUMBER", "phone"),
    ("C006,csv-person-6,+191755501,,,,,,,,", "BAD_NUMBER", "phone"),
    ("C007,csv-person-7,+19175550107,satellite,,,,,,,", "BAD_ENUM", "line_type"),
    ("C008,csv-person-8,+19175550108,,maybe,,,,,,", "BAD_ENUM", "consumer"),
    ("C009,csv-person-9,+19175550109,,,Narnia,,,,,", "BAD_ENUM", "country"),
    ("C010,csv-person-10,+19175550110,,,,lukewarm,,,,", "BAD_ENUM", "segment"),
    ("C011,csv-person-11,+19175550111,,,,,eleventy,,,", "BAD_SCORE", "score"),
    ("C012,csv-person-12,+19175550112,,,,,1.5,,,", "BAD_SCORE", "score"),
    ("C013,csv-person-13,+19175550113,,,,,,next tuesday,,", "BAD_TIME", "expires_at"),
    ("C014,csv-person-14,+19175550114,,,,,,2027-01-01T00:00:00,,", "BAD_TIME", "expires_at"),
    ("C015,csv-person-15,+19175550115,,,,,,2019-01-01T00:00:00Z,,", "EXPIRED", "expires_at"),
    (f"C016,csv-person-16,+19175550116,,,,,,,{'Zebedee' * 50},", "TOO_LONG", "first_name"),
    ("C017,csv-person-17,+19175550117,,,,,,,Ann,,surplus,cells", "TOO_MANY_COLUMNS", ""),
    ("C018,csv-person-18,+19175550118,,,,,,,Zo\xff\xfe,", "BAD_ENCODING", "first_name"),
    ("C019,csv-person-19,+19175550119,,,,,,,N\x00ll,", "BAD_ENCODING", "first_name"),
    ("C001,csv-person-20,+19175550120,,,,,,,,", "DUPLICATE_LEAD_ID", "lead_id"),
    ("C021,csv-person-1,+19175550121,,,,,,,,", "DUPLICATE_PERSON", "person_id"),
    ("C022,csv-person-22,(917) 555-0101,,,,,,,,", "DUPLICATE_NUMBER", "phone"),
    ("C023,csv-person-23,+19175550123,,,,,,,,pewc", "MISSING_FIELD", "consent_granted_at"),
    ("C024,csv-person-24,+19175550124,,,,,,,,sworn", "BAD_ENUM", "consent_level"),
    ('C025,csv-person-25,"+19175550125,,,,,,,,\n', None, None),
]
"""Row, reason, field. The last one never closes its quote: the rest of the file is its number."""
VALUES = ("CALL-NOW", "satellite", "Narnia", "lukewarm", "eleventy", "next tuesday", "Zebedee", "surplus", "sworn")


def test_every_bad_row_is_accounted_for_with_reason_and_shape(hand: StandIn) -> None:
    rows = ROWS[:-1]
    body = "\r\n".join([HEADER, *(row for row, _, _ in rows), ""]).encode("latin-1")
    account = _import(hand, body)
    expected = [(n, reason, field) for n, (_, reason, field) in enumerate(rows, start=1) if reason]
    assert [(e["row"], e["reason"], e["field"]) for e in account["errors"]] == expected
    assert account["rows"] == len(rows) == account["leads"] + sum(account["rejected"].values())
    assert all(error["shape"] for error in account["errors"])
    text = json.dumps(account)
    assert not [value for value in (*VALUES, "+1917", "csv-person") if value in text]
    for error in account["errors"]:
        print(f"shown: row {error['row']}: {error['reason']} {error['field']}: {error['shape']}")
    again = _import(hand, body)
    assert again["leads"] == 0
    assert again["rejected"]["DUPLICATE_LEAD_ID"] == account["rejected"]["DUPLICATE_LEAD_ID"] + 1


def test_a_quote_that_never_closes_is_one_counted_row(hand: StandIn) -> None:
    account = _import(hand, "\r\n".join([HEADER, ROWS[-1][0], ROWS[1][0], ROWS[2][0]]).encode())
    assert account["rows"] == 1
    assert account["leads"] == 0
    assert account["errors"][0]["reason"] == "BAD_NUMBER"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "columns"),
        (b"\x00\xff\xfe\x00", "UTF-8"),
        (b"name,number\r\nAnn,+19175550130\r\n", "lead_id"),
        (b"lead_id,person_id,phone,phone\r\n", "twice"),
        (b'{"lead_id": "C1"}', "columns"),
    ],
)
def test_a_file_that_is_no_leads_csv_is_refused_whole(hand: StandIn, body: bytes, named: str) -> None:
    reply = _post(hand, body, hand.campaign_id)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert named in reply.json()["detail"]
    assert "5550130" not in reply.text
    print(f"shown: {reply.json()['detail']}")


@pytest.mark.parametrize("campaign_id", ["nobody-knows", "", "a\x00b"])
def test_rows_for_an_unknown_campaign_are_refused_whole(hand: StandIn, campaign_id: str) -> None:
    reply = _post(hand, f"{HEADER}\r\n{GOOD[0]}\r\n".encode(), campaign_id)
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")


def _import(hand: StandIn, body: bytes) -> dict[str, Any]:
    reply = _post(hand, body, hand.campaign_id)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def _post(hand: StandIn, body: bytes, campaign_id: str) -> httpx.Response:
    url = f"{hand.stack.addresses.url('lead-router')}/v1/imports"
    params = {"campaign_id": campaign_id, "source": "csv-crm"}
    return httpx.post(url, content=body, params=params, headers={"content-type": "text/csv"}, timeout=30)
