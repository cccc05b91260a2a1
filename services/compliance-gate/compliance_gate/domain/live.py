"""What runs now: campaign documents, campaign states and stop buttons, as last published. The latest wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from compliance_gate.domain.drop_budget import Terms
from compliance_gate.domain.drop_limits import LegalCampaign
from outdial_contracts.events import BlockReason, CampaignDocument, CampaignPublished, CampaignState, StopChanged

STATE_SLOT = "state"


@dataclass
class LiveBook:
    """Memory of two compacted topics that every replica reads whole before it is ready; nothing else is kept here."""

    _documents: dict[tuple[str, int], CampaignDocument] = field(default_factory=dict)
    _states: dict[str, CampaignPublished] = field(default_factory=dict)
    _stops: dict[str, StopChanged] = field(default_factory=dict)
    _newest: dict[str, CampaignPublished] = field(default_factory=dict)
    """Of each campaign the newest version."""

    def publish(self, event: CampaignPublished) -> bool:
        """Takes in a version or the state of a campaign; an older state that comes again changes nothing.

        Returns whether the campaign's state is another now.
        """
        known = self._states.get(event.campaign_id)
        newer = event.slot == STATE_SLOT and (known is None or known.published_at <= event.published_at)
        if newer:
            self._states[event.campaign_id] = event
        if event.document is not None:
            self._documents[event.campaign_id, event.version] = event.document
            newest = self._newest.get(event.campaign_id)
            if newest is None or newest.version <= event.version:
                self._newest[event.campaign_id] = event
        return newer and (known is None or known.state is not event.state)

    def change_stop(self, event: StopChanged) -> bool:
        """Takes in a stop button; an older word that comes again changes nothing.

        Returns whether it is another now than was known.
        """
        known = self._stops.get(event.scope)
        if known is not None and known.changed_at > event.changed_at:
            return False
        self._stops[event.scope] = event
        return known is None or known.stopped is not event.stopped

    def document(self, campaign_id: str, version: int) -> CampaignDocument | None:
        """A version's document, or None while it has not been seen."""
        return self._documents.get((campaign_id, version))

    def pressed(self) -> list[str]:
        """Scopes whose stop button is pressed."""
        return sorted(scope for scope, said in self._stops.items() if said.stopped)

    def longest_lifetime_seconds(self) -> int:
        """The longest that a clearance of any known campaign version lives."""
        return max((document.clearance_ttl_seconds for document in self._documents.values()), default=0)

    def knows(self, campaign_id: str, version: int) -> bool:
        """Whether both the version and some state of the campaign were seen."""
        return (campaign_id, version) in self._documents and campaign_id in self._states

    def legal_campaigns(self) -> list[Terms]:
        """Every legal campaign that a newest version names: its lowest drop limit, and which of its teams dial."""
        found: dict[LegalCampaign, Terms] = {}
        for campaign_id, event in self._newest.items():
            if event.document is None:
                continue
            named = LegalCampaign(seller_id=event.document.seller_id, topic_id=event.document.topic_id)
            known = found.get(named) or Terms(campaign=named, limit=event.document.abandon_limit, teams={})
            runs = self._state(campaign_id) is CampaignState.RUNNING or known.teams.get(event.team_id, False)
            limit = min(known.limit, event.document.abandon_limit)
            found[named] = Terms(campaign=named, limit=limit, teams={**known.teams, event.team_id: runs})
        return sorted(found.values(), key=lambda terms: terms.campaign.key)

    def _state(self, campaign_id: str) -> CampaignState:
        known = self._states.get(campaign_id)
        return known.state if known is not None else CampaignState.UNKNOWN

    def blocks(
        self, campaign_id: str, seller_id: str, regions: frozenset[str], route_id: str = ""
    ) -> Iterator[tuple[BlockReason, str]]:
        """Reasons and rule ids why nothing may be dialled now. A campaign whose state is unknown counts as paused."""
        state = self._state(campaign_id)
        if state is CampaignState.STOPPED:
            yield BlockReason.CAMPAIGN_STOPPED, "GATE-CAMPAIGN-STATE"
        elif state is not CampaignState.RUNNING:
            yield BlockReason.CAMPAIGN_PAUSED, "GATE-CAMPAIGN-STATE"
        scopes = ["all", f"seller:{seller_id}", *(f"state:{r}" for r in regions), f"route:{route_id}"]
        if any(scope in self._stops and self._stops[scope].stopped for scope in scopes):
            yield BlockReason.GLOBAL_STOP, "GATE-STOP"
