"""The only consume loop: subscriptions, ticks, requests and the outbox, with one way out"""

from outdial_runtime.config import RunConfig
from outdial_runtime.run import run

__all__ = ["RunConfig", "run"]
