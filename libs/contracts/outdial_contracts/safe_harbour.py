"""What people must hear when no agent is there within two seconds of their greeting, judged by its transcript.

One reading for all who look at a campaign document: console, gate and command line. RULES.md 7: an abandoned
telemarketing call needs a recorded message with the seller's name, its telephone number, the telemarketing purpose and
an automated opt-out (47 CFR 64.1200(a)(7)(i), 16 CFR 310.4(b)(4)(iii)); every recorded message says who speaks, first,
and a number (64.1200(b)(1), (b)(2)); a message about a debt may be heard by somebody else (12 CFR 1006.6(d)(1)).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from outdial_contracts.events import Purpose

OPT_OUT_KEY = "9"
"""The key that the media gateway obeys."""
TEXT = "safe_harbour.text"
IDENTITY = ("SAFE-HARBOUR-IDENTITY", "47 CFR 64.1200(a)(7)(i)(A), (b)(1)")
NUMBER = ("SAFE-HARBOUR-NUMBER", "47 CFR 64.1200(a)(7)(i)(A), (b)(2)")
PURPOSE = ("SAFE-HARBOUR-PURPOSE", "47 CFR 64.1200(a)(7)(i)(A)")
OPT_OUT = ("SAFE-HARBOUR-OPT-OUT", "47 CFR 64.1200(a)(7)(i)(B), (b)(3)")
NO_DEBT = ("SAFE-HARBOUR-NO-DEBT", "15 U.S.C. 1692c(b), 12 CFR 1006.6(d)(1)")
WRITTEN = ("SAFE-HARBOUR-TEXT", "47 CFR 64.1200(a)(7)(i), (b)")

CHARGED = "+1900"
"""A 900 number costs more than a call: not a number for a do-not-call request."""
NOT_ALNUM = re.compile(r"[\W_]+")
DIGIT_RUN = re.compile(r"(?<!\d)\+?\(?\d(?:(?:[ \-/]|[ \-]?\(|\) ?|\.(?=\d))?\d)*")
SENTENCES = re.compile(r"[.!?;]+\s+|[\r\n]+")
TELEMARKETING = re.compile(
    r"\btele-?\s?marketing|\btélémarketing|\bdémarchage téléphonique|\bprospection (?:commerciale|téléphonique)"
    r"|\btelefonwerbung|\btelefonmarketing|\bwerbeanruf|\btelemercadeo"
)
DENIED = re.compile(r"\b(?:not?|isn['’]t|never|pas|kein\w*|nicht)\b[^.!?]{0,24}$")
KEY_WORDS = {"nine": "9", "neuf": "9", "neun": "9", "nueve": "9"}
KEY = re.compile(
    r"\b(?:press|dial|hit|touch|push|enter"
    r"|appuyez sur|tapez|pressez|drücken sie|wählen sie|pulse|oprima|presione|marque)(?:ing)?"
    r"\s+(?:(?:the|key|number|digit|la|el|le|die|touche|taste|ziffer|tecla|número|numéro)\s+)*"
    r"['\"]?(\d(?!\d)|[a-zü]+)"
)
REFUSES = re.compile(
    r"opt[ -]?out|do[ -]not[ -]call|unsubscribe|\bremove|\bnot? (?:be called|(?:more|further) calls)"
    r"|\bstop (?:\w+ ){0,3}(?:calls|calling)|not (?:wish|want) to (?:be called|receive)"
    r"|plus (?:être|recevoir)|opposition|désinscri|nicht mehr|widersprechen|abmelden|sperrliste"
    r"|no (?:recibir|volver|ser llamad)|darse de baja|lista de exclusión"
)
DEBT = re.compile(
    r"\b(?:debts?|debtors?|ow(?:e|es|ed|ing)|collect\w*|creditors?|delinquen\w*|arrears|overdue|past[ -]due|unpaid"
    r"|charged[ -]off|repay\w*|payments?|(?:outstanding|remaining|account) balance|balance (?:due|owed)|amount due"
    r"|default(?:ed)?"
    r"|dettes?|impayés?|recouvrement\w*|créanc\w*|schulden\w*|schuldner\w*|inkasso\w*|forderung\w*|mahnung\w*|zahlungsrück\w*"
    r"|deudas?|deudor\w*|adeud\w*|cobr(?:o|os|anza|anzas|ar)|moros\w*|impago\w*)\b"
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that a campaign's message lacks, or may not say."""

    field: str
    """Of campaign.yaml, dotted."""
    must: str
    """What is asked of it."""
    rule_id: str
    citation: str

    def __str__(self) -> str:
        return f"{self.field}: must {self.must} ({self.rule_id}, {self.citation})"


def campaign_faults(campaign: Mapping[str, Any]) -> tuple[Fault, ...]:
    """What is wrong with the message of a campaign.yaml, whatever shape it has; nothing means lawful."""
    seller, message = campaign.get("seller"), campaign.get("safe_harbour")
    name, callback = (seller.get("name"), seller.get("callback")) if isinstance(seller, Mapping) else (None, None)
    words = str(campaign.get("purpose")).upper()
    if words not in Purpose.__members__ or words == Purpose.UNKNOWN:
        return (_fault("purpose", "be one of the purposes, so that it is known what the message must say", WRITTEN),)
    text = message.get("text") if isinstance(message, Mapping) else None
    if not isinstance(text, str) or not text.strip():
        return (
            _fault(TEXT, "give the words of the recording: safe_harbour: {prompt: FILE, text: TRANSCRIPT}", WRITTEN),
        )
    if not isinstance(name, str) or not NOT_ALNUM.sub("", name):
        return (_fault("seller.name", "be the name that the message says", IDENTITY),)
    if not isinstance(callback, str) or not callback.startswith("+"):
        return (_fault("seller.callback", "be the number that the message says, E.164", NUMBER),)
    return faults(text, seller_name=name, callback=callback, purpose=Purpose(words))


def faults(text: str, *, seller_name: str, callback: str, purpose: Purpose) -> tuple[Fault, ...]:
    """What the message lacks or may not say; nothing means lawful.

    Args:
        text: its transcript, numbers in digits.
        callback: E.164.
    """
    return tuple(_faults(" ".join(text.split()).casefold(), seller_name, callback, purpose))


def _faults(said: str, seller_name: str, callback: str, purpose: Purpose) -> Iterator[Fault]:
    number = next((m for m in DIGIT_RUN.finditer(said) if _is_number(m.group(), callback)), None)
    key = next(_opt_out_keys(said), None)
    others = [found.start() for found in (number, key) if found is not None]
    if not _names(said[: min(others, default=len(said))], seller_name):
        yield _fault(TEXT, "say seller.name, as it is written there, before anything else", IDENTITY)
    if callback.startswith(CHARGED):
        yield _fault("seller.callback", "be a number that costs no more than a call", NUMBER)
    if number is None:
        yield _fault(TEXT, "say seller.callback, in digits with its area code", NUMBER)
    if purpose is Purpose.MARKETING:
        if not _says_telemarketing(said):
            yield _fault(TEXT, 'say that the call was for "telemarketing purposes"', PURPOSE)
        if key is None:
            ask = f'say in one sentence how to opt out: "to be put on our do-not-call list, press {OPT_OUT_KEY}"'
            yield _fault(TEXT, ask, OPT_OUT)
    if purpose is Purpose.COLLECTIONS and DEBT.search(said):
        yield _fault(TEXT, "not mention a debt: whoever answers may hear it", NO_DEBT)


def _names(said: str, seller_name: str) -> bool:
    """Whether the name is said, whatever stands between its words."""
    return f" {_words(seller_name)} " in f" {_words(said)} "


def _words(text: str) -> str:
    return NOT_ALNUM.sub(" ", text.casefold()).strip()


def _is_number(written: str, callback: str) -> bool:
    """The callback in international form, or as its own country dials it, with or without the trunk's 0."""
    whole, digits = callback.removeprefix("+"), re.sub(r"\(0\)|\D", "", written)
    inside = {whole[n:] for n in ((1,) if whole[0] in "17" else (2, 3))}
    return digits in (whole, f"00{whole}", f"011{whole}") or not inside.isdisjoint((digits, digits.removeprefix("0")))


def _says_telemarketing(said: str) -> bool:
    return any(not DENIED.search(said[: found.start()]) for found in TELEMARKETING.finditer(said))


def _opt_out_keys(said: str) -> Iterator[re.Match[str]]:
    """Where a sentence that speaks of refusing further calls names the key."""
    begins = 0
    for end in [*(found.end() for found in SENTENCES.finditer(said)), len(said)]:
        if REFUSES.search(said, begins, end):
            for found in KEY.finditer(said, begins, end):
                if KEY_WORDS.get(found.group(1), found.group(1)) == OPT_OUT_KEY:
                    yield found
        begins = end


def _fault(field: str, must: str, rule: tuple[str, str]) -> Fault:
    return Fault(field=field, must=must, rule_id=rule[0], citation=rule[1])
