"""The entry of every service's process."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import signal
import sys

from outdial_runtime.broker import BrokerError
from outdial_runtime.clock import SystemChance
from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.kafka import KafkaBroker
from outdial_runtime.logs import configure_logging, where
from outdial_runtime.loop import HandlerFault
from outdial_runtime.records import UndeadTopic
from outdial_runtime.service import Service
from outdial_runtime.spans import Spans

FAULT_EXIT = 1
SAID = (BrokerError, HandlerFault, UndeadTopic)
"""Errors of ours, whose text holds no content of a record."""
log = logging.getLogger(__name__)


def run(service: Service, config: RunConfig) -> int:
    """Runs the service against Kafka until SIGTERM or SIGINT; a second signal exits at once.

    Returns:
        0 after a drain.

    Raises:
        SystemExit: status 1 after a systemic fault.
    """
    configure_logging(config.instance, config.log_level)
    spans = Spans(service.name, config.instance, config.otlp_endpoint)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(service, config, spans))
    except Exception as error:
        text = str(error) if isinstance(error, SAID) else type(error).__name__
        log.critical("systemic fault: %s", text, extra={"error": where(error)})
        raise SystemExit(FAULT_EXIT) from None
    finally:
        spans.flush()
    return 0


async def _serve(service: Service, config: RunConfig, spans: Spans) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _on_signal, stop)
    broker = KafkaBroker(config.kafka_bootstrap, config.topic_prefix)
    host = Host(service, config, broker, clock=config.clock, chance=SystemChance(), spans=spans)
    await host.run(stop)


def _on_signal(stop: asyncio.Event) -> None:
    if stop.is_set():
        sys.stderr.flush()
        os._exit(FAULT_EXIT)
    stop.set()


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # only where it is installed

    factory: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return factory
