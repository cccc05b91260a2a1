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


KEY = "whsec_" + "c2VjcmV0" * 4
BAD_WEBHOOKS = {
    "OUTDIAL_WEBHOOK_SECRET": "hush-hush",
    "OUTDIAL_WEBHOOK_SECRET_B": f"{KEY} whsec_aHVzaA==",
    "OUTDIAL_WEBHOOK_RETRY_SECONDS": "5,0",
    "OUTDIAL_WEBHOOK_TIMEOUT_SECONDS": "5,6",
    "OUTDIAL_WEBHOOK_CONCURRENCY": "many",
    "OUTDIAL_WEBHOOK_NETWORKS": "10.0.0.1/8",
    "OUTDIAL_WEBHOOK_PLAIN_HTTP": "yes",
}


@pytest.mark.parametrize("name", sorted(BAD_WEBHOOKS))
def test_a_webhook_variable_of_the_wrong_shape_is_named_without_its_value(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: ") as refused:
        Config.from_env(ENV | {name: BAD_WEBHOOKS[name]})
    assert BAD_WEBHOOKS[name] not in str(refused.value)


def test_only_variables_of_that_name_are_ever_keys_and_none_is_shown() -> None:
    other = {"OUTDIAL_WEBHOOK_SECRETS": KEY, "OUTDIAL_AGENT_SECRET": KEY, "OUTDIAL_WEBHOOK_SECRET_OFF": ""}
    config = Config.from_env(ENV | other | {"OUTDIAL_WEBHOOK_SECRET_B": f"{KEY} {KEY}", "OUTDIAL_WEBHOOK_SECRET": KEY})
    assert config.webhook_secrets == {"OUTDIAL_WEBHOOK_SECRET_B": (KEY, KEY), "OUTDIAL_WEBHOOK_SECRET": (KEY,)}
    assert KEY not in repr(config)


def test_a_lease_outlives_every_try() -> None:
    config = Config.from_env(ENV | {"OUTDIAL_WEBHOOK_TIMEOUT_SECONDS": "60"})
    assert config.webhook_lease_seconds > config.webhook_timeout_seconds == 60.0
