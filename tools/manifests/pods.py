"""Rules of every pod: the "restricted" security standard and a little more, resources, images, probes, drain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tools.manifests.findings import RUNNING, Finding, Resource
from tools.manifests.services import PACKAGES

POD = "spec.template.spec"
DRAIN_MARGIN_SECONDS = 30
"""What a gateway needs after its drain: last BYEs, flushes, leaving the group."""
PROBES = {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|Ki|Mi|Gi|k|M|G)?")
UNITS = {None: 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
MAY_USE_HOST_NETWORK = "media-gateway"
VOLUMES = {"configMap", "secret", "emptyDir", "projected", "downwardAPI", "persistentVolumeClaim", "csi", "ephemeral"}
"""Those that the restricted standard allows."""


def findings(resource: Resource) -> Iterator[Finding]:
    """Every broken rule of a workload's pods."""
    for path, rule in _pod_rules(resource):
        yield resource.finding(f"{POD}.{path}", rule)
    for index, container in enumerate(resource.containers):
        for path, rule in [
            *_container_rules(container),
            *_resource_rules(container),
            *_probe_rules(resource, container),
        ]:
            yield resource.finding(f"{POD}.containers.{index}.{path}", rule)


def _pod_rules(resource: Resource) -> Iterator[tuple[str, str]]:
    pod = resource.pod
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
        yield "securityContext.runAsNonRoot", "must be true, with a runAsUser other than 0"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "securityContext.seccompProfile", "must be RuntimeDefault"
    if pod.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken", "must be false: no service talks to the API server"
    if pod.get("enableServiceLinks") is not False:
        yield "enableServiceLinks", "must be false: links are variables nobody reads"
    if pod.get("hostPID") or pod.get("hostIPC") or (pod.get("hostNetwork") and resource.name != MAY_USE_HOST_NETWORK):
        yield "hostNetwork", f"the host's namespaces are closed, but for {MAY_USE_HOST_NETWORK}'s network"
    if "initContainers" in pod:
        yield "initContainers", "none: these rules do not look into them"
    for index, volume in enumerate(pod.get("volumes", ())):
        if not VOLUMES & set(volume):
            yield f"volumes.{index}", f"only {', '.join(sorted(VOLUMES))}"
    yield from _time_rules(resource)


def _time_rules(resource: Resource) -> Iterator[tuple[str, str]]:
    if resource.kind not in RUNNING:
        return
    grace = resource.pod.get("terminationGracePeriodSeconds")
    if grace is None:
        yield "terminationGracePeriodSeconds", "must be given: a drain takes its time"
        return
    for variable in resource.containers[0].get("env", ()):
        if variable["name"] == "OUTDIAL_DRAIN_SECONDS" and grace < int(variable["value"]) + DRAIN_MARGIN_SECONDS:
            rule = f"must be OUTDIAL_DRAIN_SECONDS ({variable['value']}) and {DRAIN_MARGIN_SECONDS} s more"
            yield "terminationGracePeriodSeconds", rule


def _container_rules(container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield "securityContext.allowPrivilegeEscalation", "must be false"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "securityContext.readOnlyRootFilesystem", "must be true"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "securityContext.capabilities", "must drop ALL and add none"
    if security.get("privileged") or security.get("runAsUser") == 0 or security.get("runAsNonRoot") is False:
        yield "securityContext", "no container takes back what its pod gave up"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "ports", "no hostPort"
    name, _, tag = container["image"].rpartition(":")
    if not name or tag in ("", "latest") or "/" in tag:
        yield "image", f"{container['image']} must have a tag other than latest"


def _resource_rules(container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    asked, most = (container.get("resources", {}).get(key, {}) for key in ("requests", "limits"))
    for name in ("cpu", "memory"):
        if name not in asked:
            yield f"resources.requests.{name}", "must be given: the scheduler places by it"
    if "memory" not in most:
        yield "resources.limits.memory", "must be given: a leak may not take the node along"
    for name in asked.keys() & most.keys():
        if _amount(asked[name]) > _amount(most[name]):
            yield f"resources.requests.{name}", f"{asked[name]} is more than its limit {most[name]}"


def _amount(quantity: Any) -> float:
    match = QUANTITY.fullmatch(str(quantity))
    return float(match[1]) * UNITS[match[2]] if match else float("inf")


def _probe_rules(resource: Resource, container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if resource.kind not in RUNNING:
        return
    for probe, path in PROBES.items():
        if probe not in container:
            yield probe, "must be given"
        elif resource.name in PACKAGES and container[probe].get("httpGet", {}).get("path") != path:
            yield f"{probe}.httpGet.path", f"must be {path}, the runtime's endpoint"
