"""What the pacer's handlers are given."""

from __future__ import annotations

from dataclasses import dataclass, field

from outdial_runtime.clock import Clock
from outdial_runtime.service import Journal, Outbox
from pacer.domain.ownership import Catalogue, Ownership


@dataclass(frozen=True, kw_only=True)
class Deps:
    """The ports, and the state that lives with this process's partitions."""

    clock: Clock
    journal: Journal
    outbox: Outbox
    owner_id: str
    address: str
    snapshot_every_records: int = 1000
    owned: Ownership = field(default_factory=Ownership)
    catalogue: Catalogue = field(default_factory=Catalogue)
