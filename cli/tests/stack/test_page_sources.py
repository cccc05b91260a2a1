"""The console's pages are told where everybody is: a team's pacer is one of several, so all of them are named."""

from __future__ import annotations

from pathlib import Path

from outdial_cli.stack.environment import RunClock, Settings, environment_of
from outdial_cli.stack.layout import SERVICES, Secrets, new_addresses


def test_the_console_knows_every_replica_that_its_pages_ask() -> None:
    addresses = new_addresses(replicas=dict.fromkeys(SERVICES, 2))
    settings = Settings(
        bootstrap="127.0.0.1:9",
        topic_prefix="",
        otlp_endpoint="http://127.0.0.1:8",
        addresses=addresses,
        secrets=Secrets(token_keys="1:00", agent_secret="s", trunk_password="p"),
        keys_dir=Path("keys"),
        prompts_dir=Path("prompts"),
        lists_dir=Path("lists"),
        clock=RunClock(),
        dsns=dict.fromkeys(SERVICES, "postgresql://"),
        collector_url="http://127.0.0.1:7",
        reports_dir=Path("reports"),
    )
    environment = environment_of("console", settings)
    assert environment["OUTDIAL_PACER_URL"] == f"{addresses.url('pacer')},{addresses.url('pacer-1')}"
    assert environment["OUTDIAL_TRACES_URL"] == "http://127.0.0.1:7"
    assert environment["OUTDIAL_REPORTS_DIR"] == "reports"
    asked = {name for name in environment if name.endswith("_URL")}
    assert asked == {f"OUTDIAL_{s}_URL" for s in ("PACER", "GATE", "DISPOSITION", "ANALYTICS", "LEAD_ROUTER", "TRACES")}
    assert not {name for name in environment_of("pacer", settings) if name.endswith("_URL")}
