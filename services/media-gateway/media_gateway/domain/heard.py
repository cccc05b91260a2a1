"""Detection's words in the contract's words."""

from media_gateway.detection.early import EarlyMedia
from media_gateway.detection.greeting import Answerer
from outdial_contracts.events import EndClass, Verdict

_EARLY = {
    EarlyMedia.BUSY: EndClass.BUSY,
    EarlyMedia.REORDER: EndClass.CONGESTION,
    EarlyMedia.SIT: EndClass.NOT_IN_SERVICE,
}


def verdict_of(answerer: Answerer) -> Verdict:
    """Who answered, on the wire."""
    return Verdict(answerer.value.upper())


def early_end_class(media: EarlyMedia) -> EndClass | None:
    """The class that early media decides; None for ringing and announcements, which decide nothing."""
    return _EARLY.get(media)
