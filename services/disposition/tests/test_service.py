"""What the service states of itself."""

from __future__ import annotations

import pytest

from disposition.app import SUBSCRIPTIONS, build_service
from disposition.config import Config, ConfigError
from outdial_contracts.topics import TOPICS

ENV = {"OUTDIAL_POSTGRES_DSN": "postgresql://", "OUTDIAL_GATE_ADDRESS": "127.0.0.1:1"}


def test_it_subscribes_to_what_the_contract_says() -> None:
    assert {kind.TOPIC for kind in SUBSCRIPTIONS} == {t.name for t in TOPICS.values() if "disposition" in t.consumers}


def test_its_public_topic_is_written_exactly_once() -> None:
    assert build_service(Config.from_env(ENV)).exactly_once


@pytest.mark.parametrize("name", sorted(ENV))
def test_an_absent_variable_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_env({key: value for key, value in ENV.items() if key != name})


def test_an_address_without_a_port_is_refused() -> None:
    with pytest.raises(ConfigError, match="OUTDIAL_GATE_ADDRESS: 4 characters"):
        Config.from_env(ENV | {"OUTDIAL_GATE_ADDRESS": "gate"})
