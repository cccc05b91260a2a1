"""The pacer's binding constraint as a state to take in at a glance: a word and a shape, not a colour alone."""

from __future__ import annotations

from enum import StrEnum


class Health(StrEnum):
    """How a campaign is."""

    DIALING = "dialing"
    LIMITED = "limited"
    WAITING = "waiting"
    FAULT = "fault"
    UNKNOWN = "unknown"


WORDS = {
    Health.DIALING: "Dialing",
    Health.LIMITED: "Dialing, held back",
    Health.WAITING: "Not dialing",
    Health.FAULT: "Not dialing: fault",
    Health.UNKNOWN: "Not known",
}
OF_BINDING = {
    "DIALING": Health.DIALING,
    "NO_OFFERS": Health.DIALING,
    "AGENTS_BUSY": Health.LIMITED,
    "SMALL_TEAM": Health.LIMITED,
    "LINES_CAP": Health.LIMITED,
    "ABANDON_BUDGET": Health.LIMITED,
    "STOPPED": Health.WAITING,
    "PAUSED": Health.WAITING,
    "NO_AGENTS": Health.WAITING,
    "NO_LEADS": Health.WAITING,
    "LEADS_NOT_DUE": Health.WAITING,
    "OUTSIDE_HOURS": Health.WAITING,
    "RULES": Health.WAITING,
    "STOP_BUTTON": Health.WAITING,
    "MODE_NOT_SERVED": Health.FAULT,
    "CAMPAIGN_UNKNOWN": Health.FAULT,
    "GATE_AWAY": Health.FAULT,
    "SUPPLY_AWAY": Health.FAULT,
    "GATEWAY_AWAY": Health.FAULT,
    "CHANNELS": Health.FAULT,
    "NUMBER_POOL": Health.FAULT,
}
"""The pacer's words (GET /v1/why); one that is not here is UNKNOWN, with the pacer's sentence."""


def health_of(binding: str) -> Health:
    """The state of a binding constraint."""
    return OF_BINDING.get(binding, Health.UNKNOWN)
