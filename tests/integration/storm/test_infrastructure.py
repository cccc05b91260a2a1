"""Tests take containers where an engine answers, and say so when they cannot."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from outdial_cli.config import InfraKind
from tests.integration.infrastructure import NoContainer, Variables, choose, engine_answers, variables_for


def never_asked() -> bool:
    raise AssertionError("the engine was asked although the choice was made")


@pytest.mark.parametrize("kind", list(InfraKind))
def test_word_of_the_environment_counts_and_no_engine_is_asked(kind: InfraKind) -> None:
    assert choose({"OUTDIAL_INFRA": kind.value}, never_asked) is kind


def test_engine_decides_when_nothing_is_said() -> None:
    assert choose({}, lambda: True) is InfraKind.CONTAINERS
    assert choose({"OUTDIAL_INFRA": ""}, lambda: False) is InfraKind.EMBEDDED


def test_unknown_word_is_an_error() -> None:
    with pytest.raises(ValueError, match="podman"):
        choose({"OUTDIAL_INFRA": "podman"}, never_asked)


def test_absent_engine_is_an_answer_and_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    assert engine_answers() is False


def test_containers_reach_the_stack_as_external_infrastructure() -> None:
    external = {"OUTDIAL_INFRA": "external", "OUTDIAL_KAFKA_BOOTSTRAP": "k:1", "OUTDIAL_POSTGRES_DSN": "postgresql://p"}
    with variables_for(InfraKind.CONTAINERS, print, lambda running: external) as variables:
        assert variables == external


def test_container_that_does_not_start_is_said_and_child_processes_take_over() -> None:
    said: list[str] = []

    def fail(running: ExitStack) -> Variables:
        raise NoContainer("the kafka container did not start (ImageNotFound)")

    with variables_for(InfraKind.CONTAINERS, said.append, fail) as variables:
        assert variables == {"OUTDIAL_INFRA": "embedded"}
    assert "the kafka container did not start" in said[0]
    assert "child processes" in said[0]
