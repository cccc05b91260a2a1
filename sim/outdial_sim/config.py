"""What the simulated world reads from the environment: secrets only; everything else is an option."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Config:
    """OUTDIAL_SIM_CARRIER_USER and _PASSWORD (default "outdial"), OUTDIAL_API_KEY, OUTDIAL_WEBHOOK_SECRET (empty)."""

    carrier_user: str
    carrier_password: str
    api_key: str
    webhook_secret: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Config":
        """Read the environment once."""
        return cls(
            carrier_user=environ.get("OUTDIAL_SIM_CARRIER_USER", "outdial"),
            carrier_password=environ.get("OUTDIAL_SIM_CARRIER_PASSWORD", "outdial"),
            api_key=environ.get("OUTDIAL_API_KEY", ""),
            webhook_secret=environ.get("OUTDIAL_WEBHOOK_SECRET", ""),
        )
