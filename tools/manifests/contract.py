"""Kafka topics and users, generated from schemas/topics for Strimzi 0.49 or later (its API v1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from tools.contracts.sources import Contract, TopicFile
from tools.manifests.services import EXACTLY_ONCE, PACKAGES, READ_BACK

API = "kafka.strimzi.io/v1"
HEAD = "# Generated from schemas/topics by `python -m tools.manifests generate`. Do not edit.\n"
REPLICAS, MIN_IN_SYNC = 3, 2
DEAD_PARTITIONS, DEAD_RETENTION_MS = 1, 30 * 86_400_000
DEAD_LETTERS = "dead-letters"
"""The principal for `outdial dead list|replay`: whoever holds it reads every dead letter, restricted ones too."""


def topics_yaml(contract: Contract) -> str:
    """Text of deploy/k8s/kafka/topics.yaml."""
    documents = []
    for topic in contract.topics.values():
        documents.append(_topic(topic.name, topic.partitions, _topic_config(topic), topic.access))
        if topic.dead_letter:
            config = {"cleanup.policy": "delete", "retention.ms": DEAD_RETENTION_MS, **_durable()}
            documents.append(_topic(topic.dead_letter, DEAD_PARTITIONS, config, topic.access))
    return HEAD + yaml.safe_dump_all(documents, sort_keys=False)


def users_yaml(contract: Contract) -> str:
    """Text of deploy/k8s/kafka/users.yaml."""
    users = [_user(service, _service_acls(service, contract)) for service in PACKAGES]
    users += [_user(name, _outsider_acls(name, contract)) for name in outsiders(contract)]
    users.append(_user(DEAD_LETTERS, _dead_letter_acls(contract)))
    return HEAD + yaml.dump_all(users, Dumper=_PlainDumper, sort_keys=False)


def outsiders(contract: Contract) -> list[str]:
    """Producers and consumers that are no service of ours: crm, cli, archive, data teams."""
    named = {name for topic in contract.topics.values() for name in (*topic.producers, *topic.consumers)}
    return sorted(named - set(PACKAGES))


class _PlainDumper(yaml.SafeDumper):
    """Without anchors: every list is written out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _topic_config(topic: TopicFile) -> dict[str, Any]:
    if topic.cleanup == "compact":
        return {"cleanup.policy": "compact", **_durable()}
    return {"cleanup.policy": topic.cleanup, "retention.ms": topic.retention_ms, **_durable()}


def _durable() -> dict[str, Any]:
    return {"min.insync.replicas": MIN_IN_SYNC}


def _topic(name: str, partitions: int, config: dict[str, Any], access: str) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "KafkaTopic",
        "metadata": {"name": name, "labels": {"outdial/access": access}},
        "spec": {"partitions": partitions, "replicas": REPLICAS, "config": config},
    }


def _user(name: str, acls: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "KafkaUser",
        "metadata": {"name": name},
        "spec": {"authentication": {"type": "tls"}, "authorization": {"type": "simple", "acls": acls}},
    }


def _service_acls(service: str, contract: Contract) -> list[dict[str, Any]]:
    """Read what it consumes, write what it produces, dead letters of what it consumes; groups, transactions."""
    acls = _topic_acls(service, contract)
    acls += [_acl("topic", name, "Read") for name in READ_BACK.get(service, ())]
    acls += [_acl("topic", t.dead_letter, "Write") for t in _consumed(service, contract) if t.dead_letter]
    acls += [_acl("group", service, "Read"), _acl("group", f"{service}.", "Read", prefix=True)]
    if service in EXACTLY_ONCE:
        acls.append(_acl("transactionalId", f"{service}-", "Write", prefix=True))
    return acls


def _outsider_acls(name: str, contract: Contract) -> list[dict[str, Any]]:
    acls = _topic_acls(name, contract)
    if _consumed(name, contract):
        acls.append(_acl("group", f"{name}.", "Read", prefix=True))
    return acls


def _dead_letter_acls(contract: Contract) -> list[dict[str, Any]]:
    dead = [t for t in contract.topics.values() if t.dead_letter]
    acls = [_acl("topic", str(t.dead_letter), "Read") for t in dead] + [_acl("topic", t.name, "Write") for t in dead]
    return [*acls, _acl("group", f"{DEAD_LETTERS}.", "Read", prefix=True)]


def _topic_acls(name: str, contract: Contract) -> list[dict[str, Any]]:
    produced = [t for t in contract.topics.values() if name in t.producers]
    return [_acl("topic", t.name, "Read") for t in _consumed(name, contract)] + [
        _acl("topic", t.name, "Write") for t in produced
    ]


def _consumed(name: str, contract: Contract) -> list[TopicFile]:
    return [t for t in contract.topics.values() if name in t.consumers]


def _acl(kind: str, name: str, operation: str, *, prefix: bool = False) -> dict[str, Any]:
    resource = {"type": kind, "name": name, "patternType": "prefix" if prefix else "literal"}
    return {"resource": resource, "operations": _with_describe(kind, operation)}


def _with_describe(kind: str, operation: str) -> list[str]:
    """Kafka derives Describe from Read and Write; it is said for topics and transactions, as its own tools do."""
    return [operation] if kind == "group" else [operation, "Describe"]


def acl_topics(users: Iterable[dict[str, Any]]) -> dict[str, set[tuple[str, str]]]:
    """principal -> {(Read or Write, topic)} of KafkaUser bodies."""
    found: dict[str, set[tuple[str, str]]] = {}
    for user in users:
        for acl in user["spec"]["authorization"]["acls"]:
            if acl["resource"]["type"] == "topic":
                pairs = {(o, acl["resource"]["name"]) for o in acl["operations"] if o != "Describe"}
                found.setdefault(user["metadata"]["name"], set()).update(pairs)
    return found
