"""Rules between resources: selectors and labels, ports, budgets, accounts, ConfigMaps and Secrets by reference only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from tools.manifests.findings import RUNNING, WORKLOADS, Finding, Resource
from tools.manifests.services import PACKAGES, WITH_DATABASE, WITH_ORDINAL

SECRET_NAME = re.compile(r"SECRET|PASSWORD|TOKEN|DSN|KEYS$|PRIVATE", re.IGNORECASE)
SECRET_VALUE = re.compile(r"-----BEGIN|://[^/\s:@]+:[^/\s@]+@|\b[0-9a-f]{32,}\b", re.IGNORECASE)
External = dict[str, dict[str, dict[str, str]]]
"""deploy/k8s/external.yaml: secrets and config_maps, each name -> its keys ({} = any)."""


def findings(resources: list[Resource], external: External) -> Iterator[Finding]:
    """Every broken rule of one rendered kustomization."""
    workloads = [r for r in resources if r.kind in WORKLOADS]
    checks: dict[str, Callable[[Resource], Iterator[Finding]]] = {
        "Service": lambda r: _service(r, workloads),
        "PodDisruptionBudget": lambda r: _budget(r, workloads),
        "NetworkPolicy": lambda r: _policy(r, workloads),
        "ServiceAccount": lambda r: _account(r, workloads),
        "ConfigMap": _config_map,
        "Secret": _secret,
    }
    for resource in resources:
        if resource.kind in checks:
            yield from checks[resource.kind](resource)
        if resource.kind in WORKLOADS:
            yield from _workload(resource, resources, external)
    yield from _same_name_twice(resources)


def completeness(resources: list[Resource]) -> Iterator[Finding]:
    """What an installation as a whole must have: every service with all that belongs to it."""
    have = {r.id for r in resources}
    base = "deploy/k8s/base"
    for service in PACKAGES:
        kind = "StatefulSet" if service in WITH_ORDINAL else "Deployment"
        wanted = [f"{k}/{service}" for k in (kind, "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy")]
        wanted += [f"Job/{service}-migrate"] if service in WITH_DATABASE else []
        for missing in sorted(set(wanted) - have):
            yield Finding(file=base, resource=missing, field="", rule="is missing")
    if "NetworkPolicy/default-deny" not in have:
        yield Finding(file=base, resource="NetworkPolicy/default-deny", field="", rule="is missing")


def _matched(selector: dict[str, str], workloads: list[Resource]) -> list[Resource]:
    return [w for w in workloads if selector.items() <= w.pod_labels.items()]


def _service(service: Resource, workloads: list[Resource]) -> Iterator[Finding]:
    matched = _matched(service.body["spec"].get("selector", {}), workloads)
    if len(matched) != 1:
        names = [w.id for w in matched] or "none"
        yield service.finding("spec.selector", f"must match the pods of exactly one workload; it matches {names}")
        return
    ports = {
        key: port.get("protocol", "TCP")
        for container in matched[0].containers
        for port in container.get("ports", ())
        for key in (port.get("name"), port["containerPort"])
    }
    for index, port in enumerate(service.body["spec"].get("ports", ())):
        target = port.get("targetPort", port["port"])
        if ports.get(target) != port.get("protocol", "TCP"):
            rule = f"{target} {port.get('protocol', 'TCP')} is no port of {matched[0].id}"
            yield service.finding(f"spec.ports.{index}.targetPort", rule)


def _budget(budget: Resource, workloads: list[Resource]) -> Iterator[Finding]:
    matched = _matched(budget.body["spec"]["selector"].get("matchLabels", {}), workloads)
    if len(matched) != 1 or matched[0].kind not in RUNNING:
        names = [w.id for w in matched] or "none"
        yield budget.finding("spec.selector", f"must match exactly one Deployment or StatefulSet; it matches {names}")
        return
    least = budget.body["spec"].get("minAvailable")
    if budget.body["spec"].get("maxUnavailable") == 0 or (
        isinstance(least, int) and least >= matched[0].body["spec"]["replicas"]
    ):
        yield budget.finding("spec", "lets no pod go: a node could never be drained")


def _policy(policy: Resource, workloads: list[Resource]) -> Iterator[Finding]:
    labels = policy.body["spec"]["podSelector"].get("matchLabels", {})
    if not _matched(labels, workloads):
        yield policy.finding("spec.podSelector", "matches no pod")
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(policy.body["spec"].get(direction, ())):
            place = f"spec.{direction}.{index}"
            if not rule.get(side) or not rule.get("ports"):
                yield policy.finding(place, f"must say {side} and ports: without them it allows all")
            yield from _policy_peers(policy, f"{place}.{side}", rule.get(side, ()), workloads)


def _policy_peers(policy: Resource, place: str, peers: Any, workloads: list[Resource]) -> Iterator[Finding]:
    for number, peer in enumerate(peers):
        labels = peer.get("podSelector", {}).get("matchLabels", {})
        if labels and "namespaceSelector" not in peer and not _matched(labels, workloads):
            yield policy.finding(f"{place}.{number}.podSelector", "matches no pod")
        if peer.get("ipBlock", {}).get("cidr") in ("0.0.0.0/0", "::/0"):
            yield policy.finding(f"{place}.{number}.ipBlock", "the whole world is no peer")


def _account(account: Resource, workloads: list[Resource]) -> Iterator[Finding]:
    if account.body.get("automountServiceAccountToken") is not False:
        yield account.finding("automountServiceAccountToken", "must be false")
    if not any(w.pod.get("serviceAccountName") == account.name for w in workloads):
        yield account.finding("metadata.name", "no pod uses it")


def _config_map(config_map: Resource) -> Iterator[Finding]:
    for key, value in config_map.body.get("data", {}).items():
        is_setting = key.isupper() and "\n" not in value
        if (is_setting and SECRET_NAME.search(key)) or SECRET_VALUE.search(value):
            yield config_map.finding(f"data.{key}", "a secret belongs in a Secret, by reference")


def _secret(secret: Resource) -> Iterator[Finding]:
    yield secret.finding("kind", "no Secret with values is kept here; list it in deploy/k8s/external.yaml")


def _workload(workload: Resource, resources: list[Resource], external: External) -> Iterator[Finding]:
    spec = workload.body["spec"]
    if workload.kind in RUNNING and not spec["selector"]["matchLabels"].items() <= workload.pod_labels.items():
        yield workload.finding("spec.selector.matchLabels", "does not match the labels of its own pods")
    have = {r.id for r in resources}
    if workload.kind == "StatefulSet" and f"Service/{spec['serviceName']}" not in have:
        yield workload.finding("spec.serviceName", f"no Service {spec['serviceName']}")
    account = workload.pod.get("serviceAccountName", "default")
    if f"ServiceAccount/{account}" not in have:
        yield workload.finding("spec.template.spec.serviceAccountName", f"no ServiceAccount {account} of its own")
    yield from _references(workload, resources, external)
    yield from _mounts(workload)


def _mounts(workload: Resource) -> Iterator[Finding]:
    volumes = {volume["name"] for volume in workload.pod.get("volumes", ())}
    mounted = {mount["name"] for container in workload.containers for mount in container.get("volumeMounts", ())}
    for name in sorted(volumes ^ mounted):
        yield workload.finding(
            "spec.template.spec.volumes", f"{name} is mounted and not defined, or defined and not mounted"
        )


def _references(workload: Resource, resources: list[Resource], external: External) -> Iterator[Finding]:
    """Each ConfigMap or Secret, and key of it, exists here or is listed as external; no secret is a literal."""
    for place, kind, name, keys in references(workload):
        known = _keys_of(kind, name, resources, external)
        if known is None:
            yield workload.finding(place, f"no {kind} {name} here or in deploy/k8s/external.yaml")
        elif known:
            for key in sorted(keys - known):
                yield workload.finding(place, f"{kind} {name} has no key {key}")
    for index, container in enumerate(workload.containers):
        for number, variable in enumerate(container.get("env", ())):
            value = str(variable.get("value", ""))
            is_path = value.startswith("/")
            if value and not is_path and (SECRET_NAME.search(variable["name"]) or SECRET_VALUE.search(value)):
                place = f"spec.template.spec.containers.{index}.env.{number}"
                yield workload.finding(place, f"{variable['name']} must come from a Secret, by reference")


def references(workload: Resource) -> Iterator[tuple[str, str, str, set[str]]]:
    """(field, ConfigMap or Secret, its name, keys asked for) of a workload."""
    for index, container in enumerate(workload.containers):
        place = f"spec.template.spec.containers.{index}"
        for number, source in enumerate(container.get("envFrom", ())):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source:
                    yield f"{place}.envFrom.{number}", kind, source[field]["name"], set()
        for number, variable in enumerate(container.get("env", ())):
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if field in variable.get("valueFrom", {}):
                    chosen = variable["valueFrom"][field]
                    yield f"{place}.env.{number}.valueFrom", kind, chosen["name"], {chosen["key"]}
    for number, volume in enumerate(workload.pod.get("volumes", ())):
        for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
            if field in volume:
                items = {item["key"] for item in volume[field].get("items", ())}
                yield f"spec.template.spec.volumes.{number}", kind, volume[field][key], items


def _keys_of(kind: str, name: str, resources: list[Resource], external: External) -> set[str] | None:
    """Keys of a ConfigMap or Secret, empty when it may have any; None when nobody makes it."""
    for resource in resources:
        if resource.kind == kind and resource.name == name:
            return set(resource.body.get("data", {}))
    listed = external["config_maps" if kind == "ConfigMap" else "secrets"]
    return set(listed[name]) if name in listed else None


def _same_name_twice(resources: list[Resource]) -> Iterator[Finding]:
    seen: set[str] = set()
    for resource in resources:
        if resource.id in seen:
            yield resource.finding("metadata.name", "there are two of this name")
        seen.add(resource.id)
