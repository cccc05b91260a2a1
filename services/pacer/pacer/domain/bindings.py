"""The constraint that binds a campaign now: the answer to "why is it not dialing?"."""

from __future__ import annotations

from enum import StrEnum


class Binding(StrEnum):
    """What keeps a campaign from dialing more."""

    DIALING = "DIALING"
    CAMPAIGN_UNKNOWN = "CAMPAIGN_UNKNOWN"
    STOPPED = "STOPPED"
    PAUSED = "PAUSED"
    STOP_BUTTON = "STOP_BUTTON"
    MODE_NOT_SERVED = "MODE_NOT_SERVED"
    NO_AGENTS = "NO_AGENTS"
    AGENTS_BUSY = "AGENTS_BUSY"
    SMALL_TEAM = "SMALL_TEAM"
    ABANDON_BUDGET = "ABANDON_BUDGET"
    LINES_CAP = "LINES_CAP"
    NO_OFFERS = "NO_OFFERS"
    NO_LEADS = "NO_LEADS"
    LEADS_NOT_DUE = "LEADS_NOT_DUE"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    RULES = "RULES"
    GATE_AWAY = "GATE_AWAY"
    SUPPLY_AWAY = "SUPPLY_AWAY"
    GATEWAY_AWAY = "GATEWAY_AWAY"
    CHANNELS = "CHANNELS"
    NUMBER_POOL = "NUMBER_POOL"


SENTENCES: dict[Binding, str] = {
    Binding.DIALING: "It dials as fast as its agents and its drop budget allow.",
    Binding.CAMPAIGN_UNKNOWN: "No document of this campaign was published.",
    Binding.STOPPED: "The campaign is stopped.",
    Binding.PAUSED: "The campaign is paused.",
    Binding.STOP_BUTTON: "A stop button is pressed that covers this campaign.",
    Binding.MODE_NOT_SERVED: "Its dialing mode is not paced by the pacer.",
    Binding.NO_AGENTS: "No agent of its team is signed in and not paused.",
    Binding.AGENTS_BUSY: "Every agent is on a call or wrapping up.",
    Binding.SMALL_TEAM: "The team is too small to overdial; it dials one call per free agent.",
    Binding.ABANDON_BUDGET: "The drop budget is spent; it dials one call per free agent until people answer again.",
    Binding.LINES_CAP: "It has as many lines per agent as the campaign allows.",
    Binding.NO_OFFERS: "Offers were asked for a moment ago and are on their way.",
    Binding.NO_LEADS: "The campaign has no lead left.",
    Binding.LEADS_NOT_DUE: "No lead is due yet.",
    Binding.OUTSIDE_HOURS: "The leads at hand may not be called at this hour where they live.",
    Binding.RULES: "The gate blocks the leads that are offered.",
    Binding.GATE_AWAY: "The compliance gate has not answered the offers it was sent.",
    Binding.SUPPLY_AWAY: "lead-router has not answered the demand for offers.",
    Binding.GATEWAY_AWAY: "No media gateway has been heard of lately.",
    Binding.CHANNELS: "The media gateways have no free channel.",
    Binding.NUMBER_POOL: "No caller ID of its pool may be shown now.",
}
