"""Detection's words in the contract's words."""

from media_gateway.detection.call_progress import Tone
from media_gateway.detection.early import EarlyMedia, EarlyVerdict
from media_gateway.detection.greeting import Answerer
from outdial_contracts.events import EndClass, Verdict

_EARLY = {
    EarlyMedia.BUSY: EndClass.BUSY,
    EarlyMedia.REORDER: EndClass.CONGESTION,
    EarlyMedia.SIT: EndClass.NOT_IN_SERVICE,
}
_NO_WAY_THROUGH = frozenset({Tone.SIT_NO_CIRCUIT, Tone.SIT_REORDER})
"""Special information tones that are about the network, not about the number."""


def verdict_of(answerer: Answerer) -> Verdict:
    """Who answered, on the wire."""
    return Verdict(answerer.value.upper())


def early_end_class(heard: EarlyVerdict) -> EndClass | None:
    """The class that early media decides; None for ringing and announcements, which decide nothing."""
    return EndClass.CONGESTION if heard.tone in _NO_WAY_THROUGH else _EARLY.get(heard.media)
