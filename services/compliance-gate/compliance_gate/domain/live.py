"""What runs now: campaign documents, campaign states and stop buttons, as last published. The latest wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from outdial_contracts.events import BlockReason, CampaignDocument, CampaignPublished, CampaignState, StopChanged

STATE_SLOT = "state"


@dataclass
class LiveBook:
    """Memory of two compacted topics that every replica reads whole before it is ready; nothing else is kept here."""

    _documents: dict[tuple[str, int], CampaignDocument] = field(default_factory=dict)
    _states: dict[str, CampaignState] = field(default_factory=dict)
    _stops: dict[str, bool] = field(default_factory=dict)

    def publish(self, event: CampaignPublished) -> bool:
        """Takes in a version or the state of a campaign; whether the campaign's state is another now."""
        before = self._states.get(event.campaign_id)
        if event.slot == STATE_SLOT:
            self._states[event.campaign_id] = event.state
        if event.document is not None:
            self._documents[event.campaign_id, event.version] = event.document
        return self._states.get(event.campaign_id) != before

    def change_stop(self, event: StopChanged) -> bool:
        """Takes in a stop button; whether it is another now than was known."""
        before = self._stops.get(event.scope)
        self._stops[event.scope] = event.stopped
        return event.stopped != before

    def document(self, campaign_id: str, version: int) -> CampaignDocument | None:
        """A version's document, or None while it has not been seen."""
        return self._documents.get((campaign_id, version))

    def longest_lifetime_seconds(self) -> int:
        """The longest that a clearance of any known campaign version lives."""
        return max((document.clearance_ttl_seconds for document in self._documents.values()), default=0)

    def knows(self, campaign_id: str, version: int) -> bool:
        """Whether both the version and some state of the campaign were seen."""
        return (campaign_id, version) in self._documents and campaign_id in self._states

    def blocks(
        self, campaign_id: str, seller_id: str, regions: frozenset[str], route_id: str = ""
    ) -> Iterator[tuple[BlockReason, str]]:
        """Reasons and rule ids why nothing may be dialled now. A campaign whose state is unknown counts as paused."""
        state = self._states.get(campaign_id, CampaignState.UNKNOWN)
        if state is CampaignState.STOPPED:
            yield BlockReason.CAMPAIGN_STOPPED, "GATE-CAMPAIGN-STATE"
        elif state is not CampaignState.RUNNING:
            yield BlockReason.CAMPAIGN_PAUSED, "GATE-CAMPAIGN-STATE"
        scopes = ["all", f"seller:{seller_id}", *(f"state:{r}" for r in regions), f"route:{route_id}"]
        if any(self._stops.get(scope, False) for scope in scopes):
            yield BlockReason.GLOBAL_STOP, "GATE-STOP"
