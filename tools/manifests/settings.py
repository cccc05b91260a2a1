"""The environment of each service's pods against the readers of it: config.py of the service and of the runtime.

Each pod's environment is put together as the kubelet would, secrets and pod fields by samples of their shape, and given
to `Config.from_env` and `RunConfig.from_env`: what they refuse is a finding, and so is a variable that neither reads.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import ItemsView, Iterator, Mapping
from pathlib import Path
from typing import Any

from outdial_runtime.config import ConfigError as RunConfigError
from outdial_runtime.config import RunConfig
from tools.contracts.sources import TopicFile
from tools.manifests.findings import RUNNING, Finding, Resource
from tools.manifests.services import PACKAGES, WITH_ORDINAL

ADDRESS = re.compile(r"(?:http://)?([a-z][\w.-]*):(\d+)")
"""host:port or http://host:port, as the variables *_ADDRESS and *_URL hold them."""
CLOCK = "OUTDIAL_CLOCK_START"
POD_INDEX = "metadata.labels['apps.kubernetes.io/pod-index']"
FIELD_SAMPLES = {"status.podIP": "10.0.0.1", POD_INDEX: "0"}
SECRET_SAMPLES = {
    "OUTDIAL_POSTGRES_DSN": "postgresql://service@database/outdial",
    "OUTDIAL_TOKEN_KEYS": f"1:{'00' * 16}",
    "OUTDIAL_AGENT_SECRET": "0" * 32,
}
ENV = "spec.template.spec.containers.0.env"


def findings(resources: list[Resource], call_dial: TopicFile) -> Iterator[Finding]:
    """Every broken rule about variables in one rendered kustomization."""
    config_maps = {r.name: r.body["data"] for r in resources if r.kind == "ConfigMap"}
    for resource in resources:
        service = service_of(resource)
        if service is not None:
            environment = environment_of(resource.containers[0], config_maps)
            yield from _configured(resource, service, environment)
            yield from _addresses(resource, environment, resources)
        if resource.kind in RUNNING and service in WITH_ORDINAL:
            yield from _ordinal(resource)
        if resource.id == "StatefulSet/media-gateway" and resource.body["spec"]["replicas"] > call_dial.partitions:
            yield resource.finding("spec.replicas", f"more than the {call_dial.partitions} partitions of call.dial")


def clock_findings(root: Path) -> Iterator[Finding]:
    """A shifted clock belongs to tests and demos: no file under deploy/ names its variable, prose apart."""
    for path in sorted((root / "deploy").rglob("*")):
        if path.is_file() and path.suffix != ".md" and CLOCK in path.read_text():
            rule = "must not be set by a deployment"
            yield Finding(file=str(path.relative_to(root)), resource="", field=CLOCK, rule=rule)


def service_of(resource: Resource) -> str | None:
    """The service that a workload runs or migrates."""
    name = resource.name.removesuffix("-migrate") if resource.kind == "Job" else resource.name
    is_ours = resource.kind in RUNNING or resource.name.endswith("-migrate")
    return name if is_ours and resource.kind != "Service" and name in PACKAGES else None


def environment_of(container: dict[str, Any], config_maps: dict[str, dict[str, str]]) -> dict[str, str]:
    """A container's variables, samples in place of secrets and pod fields."""
    environment: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        environment |= config_maps.get(source.get("configMapRef", {}).get("name"), {})
    for variable in container.get("env", ()):
        environment[variable["name"]] = _value(variable, config_maps)
    return environment


def _value(variable: dict[str, Any], config_maps: dict[str, dict[str, str]]) -> str:
    chosen = variable.get("valueFrom", {})
    if "configMapKeyRef" in chosen:
        reference = chosen["configMapKeyRef"]
        return config_maps.get(reference["name"], {}).get(reference["key"], "")
    if "fieldRef" in chosen:
        return FIELD_SAMPLES.get(chosen["fieldRef"]["fieldPath"], "")
    if "secretKeyRef" in chosen:
        return SECRET_SAMPLES.get(variable["name"], "")
    return str(variable.get("value", ""))


def _configured(resource: Resource, service: str, held: dict[str, str]) -> Iterator[Finding]:
    config = importlib.import_module(f"{PACKAGES[service]}.config")
    environment = _Recorder(held)
    try:
        config.Config.from_env(environment)
        if resource.kind in RUNNING:
            RunConfig.from_env(service, environment)
    except (config.ConfigError, RunConfigError) as error:
        yield resource.finding(ENV, str(error))
        return
    for name in sorted(n for n in held if n.startswith("OUTDIAL_") and n not in environment.asked):
        yield resource.finding(ENV, f"{name} is read by nobody in {service}")
    if resource.kind in RUNNING and not held.get("OUTDIAL_HTTP_PORT"):
        yield resource.finding(ENV, "OUTDIAL_HTTP_PORT: absent; the probes would find nobody")
    yield from _ports(resource, held)


class _Recorder(Mapping[str, str]):
    """An environment that knows which of its variables were asked for by name."""

    def __init__(self, held: dict[str, str]) -> None:
        self._held = held
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def items(self) -> ItemsView[str, str]:
        """Reading all of it asks for nothing."""
        return self._held.items()


def _ports(resource: Resource, environment: dict[str, str]) -> Iterator[Finding]:
    """The ports that the service is told are those that the pod declares."""
    declared = {str(port["containerPort"]) for port in resource.containers[0].get("ports", ())}
    for name in ("OUTDIAL_HTTP_PORT", "OUTDIAL_AGENT_SIP_PORT", "OUTDIAL_TRUNK_SIP_PORT"):
        if resource.kind in RUNNING and name in environment and environment[name] not in declared:
            yield resource.finding(
                "spec.template.spec.containers.0.ports", f"{name} is {environment[name]}, no port here"
            )


def _addresses(resource: Resource, environment: dict[str, str], resources: list[Resource]) -> Iterator[Finding]:
    """Who is to be asked is a Service here, with that port; a pod of a StatefulSet is below its Service's name."""
    services = {r.name: {p["port"] for p in r.body["spec"]["ports"]} for r in resources if r.kind == "Service"}
    for name, value in environment.items():
        if not name.endswith(("_ADDRESS", "_URL")):
            continue
        for host, port in ADDRESS.findall(value):
            if int(port) not in services.get(host.split(".")[-1], set()):
                yield resource.finding(ENV, f"{name} asks {host}:{port}, which is no Service here")


def _ordinal(resource: Resource) -> Iterator[Finding]:
    for variable in resource.containers[0].get("env", ()):
        field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        if variable["name"] == "OUTDIAL_ORDINAL" and field == POD_INDEX:
            return
    yield resource.finding(ENV, f"OUTDIAL_ORDINAL must come from {POD_INDEX}: replicas would take each other's place")
