"""Everything that must hold of deploy/ and the Dockerfile, in one list of findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.contracts.sources import Contract
from tools.manifests import contract as kafka
from tools.manifests import image, kinds, network, pods, settings, wiring
from tools.manifests.findings import K8S, WORKLOADS, Finding, ManifestError, Resource, read_yaml
from tools.manifests.kustomize import render

INSTALLATIONS = ("base", "overlays/local", "overlays/host-network")
KAFKA = "kafka"
GENERATE = "run `python -m tools.manifests generate`"


def outputs(contract: Contract) -> dict[Path, str]:
    """The generated files and their text, relative to the repository."""
    return {
        K8S / KAFKA / "topics.yaml": kafka.topics_yaml(contract),
        K8S / KAFKA / "users.yaml": kafka.users_yaml(contract),
        K8S / "base" / "network-policies.yaml": network.policies_yaml(),
    }


def check(root: Path, contract: Contract, fresh: Mapping[Path, str]) -> list[Finding]:
    """Every finding, once, in order; `fresh` are the outputs as they should be.

    Raises:
        ManifestError: a kustomization can't be rendered.
    """
    return list(dict.fromkeys(_findings(root, contract, fresh)))


def _findings(root: Path, contract: Contract, fresh: Mapping[Path, str]) -> Iterator[Finding]:
    broken = list(_kustomizations(root))
    yield from broken
    if broken:
        return  # what our reader does not know it would render wrongly
    external = read_yaml(root / K8S / "external.yaml", root)[0]
    used: set[str] = set()
    for name in INSTALLATIONS:
        resources = render(root / K8S / name, root)
        unsound = [finding for resource in resources for finding in kinds.findings(resource)]
        yield from unsound
        if unsound:
            continue  # the rules below read fields that the schemas promise
        yield from _installation(resources, external, contract)
        used |= {
            f"{kind}/{name}" for r in resources if r.kind in WORKLOADS for _, kind, name, _ in wiring.references(r)
        }
    yield from _external(external, used)
    yield from _kafka(root, contract)
    yield from settings.clock_findings(root)
    yield from image.findings(root)
    for path, text in fresh.items():
        if not (root / path).exists() or (root / path).read_text() != text:
            yield Finding(file=str(path), resource="", field="", rule=f"stale; {GENERATE}")


def _kustomizations(root: Path) -> Iterator[Finding]:
    validator = kinds.validator_of("Kustomization", "kustomize.config.k8s.io/v1beta1")
    for path in sorted((root / K8S).rglob("kustomization.yaml")):
        for body in read_yaml(path, root):
            for field, rule in kinds.violations(validator, body):
                yield Finding(file=str(path.relative_to(root)), resource="", field=field, rule=rule)


def _installation(resources: list[Resource], external: wiring.External, contract: Contract) -> Iterator[Finding]:
    for resource in resources:
        if resource.kind in WORKLOADS:
            yield from pods.findings(resource)
    yield from wiring.findings(resources, external)
    yield from wiring.completeness(resources)
    yield from settings.findings(resources, contract.topics["call.dial"])


def _external(external: wiring.External, used: set[str]) -> Iterator[Finding]:
    for section, kind in (("secrets", "Secret"), ("config_maps", "ConfigMap")):
        for name in external[section]:
            if f"{kind}/{name}" not in used:
                file = str(K8S / "external.yaml")
                yield Finding(file=file, resource="", field=f"{section}.{name}", rule="nobody refers to it")


def _kafka(root: Path, contract: Contract) -> Iterator[Finding]:
    """Topics and users are sound, and what the topic files say may be read and written is what the users may."""
    resources = render(root / K8S / KAFKA, root)
    unsound = [finding for resource in resources for finding in kinds.findings(resource)]
    yield from unsound
    if unsound:
        return
    topics = {r.name: r for r in resources if r.kind == "KafkaTopic"}
    granted = kafka.acl_topics(r.body for r in resources if r.kind == "KafkaUser")
    for topic in contract.topics.values():
        yield from _topic(topic.name, topic.partitions, topics)
        rights = {("Write", p) for p in topic.producers} | {("Read", c) for c in topic.consumers}
        for right, principal in sorted(rights):
            if (right, topic.name) not in granted.get(principal, set()):
                rule = f"may not {right.lower()} {topic.name}, as schemas/topics says it does"
                yield Finding(
                    file=_file("users.yaml"), resource=f"KafkaUser/{principal}", field="spec.authorization", rule=rule
                )
    for principal, rights in granted.items():
        for right, name in sorted(rights):
            if name not in topics:
                rule = f"{right} on {name}, which is no topic"
                yield Finding(
                    file=_file("users.yaml"), resource=f"KafkaUser/{principal}", field="spec.authorization", rule=rule
                )


def _topic(name: str, partitions: int, topics: dict[str, Resource]) -> Iterator[Finding]:
    if name not in topics:
        yield Finding(file=_file("topics.yaml"), resource=f"KafkaTopic/{name}", field="", rule="is missing")
    elif topics[name].body["spec"]["partitions"] != partitions:
        yield topics[name].finding("spec.partitions", f"must be {partitions}, as schemas/topics says")


def _file(name: str) -> str:
    return str(K8S / KAFKA / name)


__all__ = ["INSTALLATIONS", "ManifestError", "check", "outputs"]
