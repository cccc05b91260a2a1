"""A campaign's message is lawful or its fault is named with field and rule; no purpose is held to another's rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from outdial_contracts.events import Purpose
from outdial_contracts.safe_harbour import campaign_faults, faults

EXAMPLES = Path(__file__).parents[3] / "examples"
NAME, CALLBACK = "Example Ltd", "+12125550100"
LAWFUL = (
    "This is Example Ltd. We called for telemarketing purposes. Our number is 212-555-0100. "
    "To be put on our do-not-call list, press 9."
)
COLLECTOR = "This is Example Ltd. Please call us back at (212) 555-0100."


def rules(text: str, purpose: Purpose = Purpose.MARKETING, name: str = NAME, callback: str = CALLBACK) -> list[str]:
    found = faults(text, seller_name=name, callback=callback, purpose=purpose)
    return [fault.rule_id.removeprefix("SAFE-HARBOUR-") for fault in found]


def test_lawful_message_has_no_fault() -> None:
    assert rules(LAWFUL) == []


@pytest.mark.parametrize("purpose", [p for p in Purpose if p not in (Purpose.UNKNOWN, Purpose.MARKETING)])
def test_only_telemarketing_must_name_its_purpose_and_a_key(purpose: Purpose) -> None:
    assert rules(COLLECTOR, purpose) == []
    assert rules("Hello?", purpose) == ["IDENTITY", "NUMBER"]


@pytest.mark.parametrize("text, missing", [
    (LAWFUL.replace("Example Ltd", "Example"), "IDENTITY"),
    (LAWFUL.replace("Example Ltd", "Example Ltdx"), "IDENTITY"),
    ("To opt out press 9. " + LAWFUL, "IDENTITY"),  # (b)(1): who speaks comes first
    (LAWFUL.replace("212-555-0100", "555-0100"), "NUMBER"),
    (LAWFUL.replace("212-555-0100", "212-555-0101"), "NUMBER"),
    (LAWFUL.replace("212-555-0100", "2 212-555-01000"), "NUMBER"),
    (LAWFUL.replace("for telemarketing purposes", "about your renewal"), "PURPOSE"),
    (LAWFUL.replace("for telemarketing purposes", "not for telemarketing purposes"), "PURPOSE"),
    (LAWFUL.replace("press 9", "write to us"), "OPT-OUT"),
    (LAWFUL.replace("press 9", "press 8"), "OPT-OUT"),  # the gateway obeys 9 alone
    (LAWFUL.replace("press 9", "press 99"), "OPT-OUT"),
    (LAWFUL.replace("To be put on our do-not-call list", "To hear our offer"), "OPT-OUT"),
    ("This is Example Ltd, for telemarketing purposes, 212-555-0100. Opt out by post. Press 9 to buy.", "OPT-OUT"),
])  # fmt: skip
def test_what_is_missing_is_named(text: str, missing: str) -> None:
    assert rules(text) == [missing]


@pytest.mark.parametrize("written, callback", [
    ("+1 212 555 0100", CALLBACK), ("1-212-555-0100", CALLBACK), ("(212) 555-0100", CALLBACK),
    ("212.555.0100", CALLBACK), ("2 1 2 5 5 5 0 1 0 0", CALLBACK), ("212 555 0100. 24 hours a day", CALLBACK),
    ("020 7183 8750", "+442071838750"), ("+44 (0)20 7183 8750", "+442071838750"),
    ("0044 20 7183 8750", "+442071838750"),
    ("01 42 68 53 00", "+33142685300"), ("911 23 45 67", "+34911234567"), ("02 1234 5678", "+390212345678"),
])  # fmt: skip
def test_number_is_known_as_people_write_it(written: str, callback: str) -> None:
    assert rules(f"This is Example Ltd, {written}.", Purpose.SURVEY, callback=callback) == []


def test_number_that_charges_is_none_for_a_request() -> None:
    text = LAWFUL.replace("212-555-0100", "900-555-0100")
    [fault] = faults(text, seller_name=NAME, callback="+19005550100", purpose=Purpose.MARKETING)
    assert (fault.field, fault.rule_id) == ("seller.callback", "SAFE-HARBOUR-NUMBER")


@pytest.mark.parametrize("opt_out", [
    "To opt out, press 9.", "Press nine to opt out of further calls.", "Pressing the number 9 stops all further calls: "
    "to be removed from our list press 9.", "If you do not want to be called again, press the 9 key or press 9.",
    "Pour vous opposer au démarchage, votre droit d'opposition : appuyez sur la touche 9.",
    "Wenn Sie nicht mehr angerufen werden möchten, drücken Sie die 9.", "Para darse de baja pulse el 9.",
])  # fmt: skip
def test_opt_out_key_is_known_as_people_say_it(opt_out: str) -> None:
    assert rules(f"This is Example Ltd, for telemarketing purposes, 212-555-0100. {opt_out}") == []


@pytest.mark.parametrize("told", [
    "This is about your debt.", "You owe us money.", "Regarding your past-due account.", "Your payment is late.",
    "An attempt to collect.", "Es geht um eine Forderung.", "Au sujet d'un impayé.", "Sobre una deuda.",
])  # fmt: skip
def test_collections_never_mention_the_debt(told: str) -> None:
    assert rules(f"{COLLECTOR} {told}", Purpose.COLLECTIONS) == ["NO-DEBT"]
    assert rules(f"{COLLECTOR} {told}", Purpose.INFORMATIONAL) == []


def test_a_sellers_name_that_tells_of_a_debt_is_a_mention() -> None:
    text = COLLECTOR.replace(NAME, "Example Debt Collectors")
    assert rules(text, Purpose.COLLECTIONS, name="Example Debt Collectors") == ["NO-DEBT"]


CAMPAIGN: dict[str, Any] = {
    "purpose": "marketing",
    "seller": {"id": "S1", "name": NAME, "callback": CALLBACK},
    "safe_harbour": {"prompt": "m.wav", "text": LAWFUL},
}


def test_the_example_is_lawful_and_its_recordings_words_stand_beside_it() -> None:
    example = yaml.safe_load((EXAMPLES / "campaign.yaml").read_text("utf-8"))
    assert campaign_faults(CAMPAIGN) == campaign_faults(example) == ()
    beside = (EXAMPLES / example["safe_harbour"]["prompt"]).with_suffix(".txt").read_text("utf-8")
    assert beside.split() == example["safe_harbour"]["text"].split()


@pytest.mark.parametrize("change, field", [
    ({"purpose": None}, "purpose"), ({"purpose": "unknown"}, "purpose"), ({"purpose": ["marketing"]}, "purpose"),
    ({"safe_harbour": None}, "safe_harbour.text"), ({"safe_harbour": "m.wav"}, "safe_harbour.text"),
    ({"safe_harbour": {"prompt": "m.wav", "text": " "}}, "safe_harbour.text"),
    ({"seller": "S1"}, "seller.name"), ({"seller": {"name": "--", "callback": CALLBACK}}, "seller.name"),
    ({"seller": {"name": NAME, "callback": 1}}, "seller.callback"),
])  # fmt: skip
def test_campaign_of_any_shape_is_judged_and_its_field_named(change: Any, field: str) -> None:
    [fault] = campaign_faults({**CAMPAIGN, **change})
    assert fault.field == field
    assert str(fault).startswith(f"{field}: must ")
    assert fault.rule_id in str(fault)
