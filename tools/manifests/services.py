"""Facts of the services that no schema file states; tests hold each against the services' code."""

from __future__ import annotations

PACKAGES = {
    "lead-router": "lead_router",
    "compliance-gate": "compliance_gate",
    "pacer": "pacer",
    "media-gateway": "media_gateway",
    "disposition": "disposition",
    "analytics": "analytics",
    "console": "console",
}
WITH_DATABASE = frozenset({"lead-router", "compliance-gate", "disposition", "analytics"})
EXACTLY_ONCE = frozenset({"disposition"})
"""Their transactional.id is `{service}-{ordinal}`."""
WITH_ORDINAL = EXACTLY_ONCE | {"media-gateway", "pacer"}
"""StatefulSets: the ordinal is a partition, a transactional.id, or the name in the journal."""
RPC_CALLERS = {
    "compliance-gate": ("media-gateway", "disposition", "console"),
    "pacer": ("media-gateway",),
    "media-gateway": ("console",),
}
"""Who calls whose gRPC methods."""
HTTP_CALLERS = {
    "pacer": ("console",),
    "compliance-gate": ("console",),
    "disposition": ("console",),
    "analytics": ("console",),
    "lead-router": ("console",),
}
"""Who reads whose HTTP (the console's pages)."""
READ_BACK = {
    "compliance-gate": (
        "clearance.closed",
        "compliance.blocked",
        "compliance.cleared",
        "compliance.ledger",
        "reassigned.answered",
        "suppression.changed",
        "suspension.changed",
    ),
    "lead-router": ("lead.ready", "lead.state", "pacing.supply"),
    "disposition": ("call.disposition",),
}
"""Topics that a service reads beside its subscriptions, after its database was restored: it wrote them itself."""
