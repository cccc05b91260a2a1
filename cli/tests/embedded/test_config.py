"""What the environment may say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from outdial_cli.config import Config, ConfigError, InfraKind, child_environment
from outdial_cli.embedded.world import EmbeddedInfra, ExternalInfra, infra_for

EXTERNAL = {
    "OUTDIAL_INFRA": "external",
    "OUTDIAL_KAFKA_BOOTSTRAP": "127.0.0.1:9",
    "OUTDIAL_POSTGRES_DSN": "postgresql://u:p@127.0.0.1:9/d",
}


def test_nothing_set_means_embedded_under_the_current_folder() -> None:
    assert Config.from_env({}) == Config()
    assert isinstance(infra_for(Config()), EmbeddedInfra)


def test_cache_follows_the_data_folder_unless_it_has_its_own() -> None:
    assert Config.from_env({"OUTDIAL_DATA_DIR": "a"}).cache_dir == Path("a/cache")
    assert Config.from_env({"OUTDIAL_DATA_DIR": "a", "OUTDIAL_CACHE_DIR": "b"}).cache_dir == Path("b")


def test_unknown_infrastructure_names_the_choices() -> None:
    with pytest.raises(ConfigError, match="'docker'; it may be embedded, containers, external"):
        Config.from_env({"OUTDIAL_INFRA": "docker"})


@pytest.mark.parametrize("missing", ["OUTDIAL_KAFKA_BOOTSTRAP", "OUTDIAL_POSTGRES_DSN"])
def test_external_needs_both_addresses(missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        Config.from_env({name: value for name, value in EXTERNAL.items() if name != missing})


def test_external_takes_the_addresses_as_given(tmp_path: Path) -> None:
    infra = infra_for(Config.from_env({**EXTERNAL, "OUTDIAL_DATA_DIR": str(tmp_path)}))
    assert isinstance(infra, ExternalInfra)
    assert infra.bootstrap == "127.0.0.1:9"


def test_containers_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="not supported yet"):
        infra_for(Config(infra=InfraKind.CONTAINERS))


def test_child_gets_our_path_but_only_the_settings_given_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTDIAL_POSTGRES_DSN", "the parent's")
    env = child_environment({"OUTDIAL_ORDINAL": "0"})
    assert env["PATH"] == os.environ["PATH"]
    assert {name for name in env if name.startswith("OUTDIAL_")} == {"OUTDIAL_ORDINAL"}
