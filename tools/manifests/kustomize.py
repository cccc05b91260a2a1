"""Renders a kustomization: the subset of kustomize that deploy/k8s uses, so that a check needs no binary.

In a kustomization: namespace, resources, components, labels, images, configMapGenerator (literals, files, merge) and
patches (RFC 6902 only). schemas/kustomization.json refuses every other field. A test compares with `kubectl kustomize`.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.manifests.findings import WORKLOADS, ManifestError, Resource, read_yaml
from tools.manifests.json_patch import PatchError, apply

HASH_LETTERS = str.maketrans("013ae", "ghkmt")
"""kustomize's own: no vowels that make words."""


def render(folder: Path, root: Path) -> list[Resource]:
    """Every resource of a kustomization, generated names with their hashes and what refers to them.

    Raises:
        ManifestError: naming file and rule.
    """
    resources = _layer(folder, root, [])
    renamed = {r.name: f"{r.name}-{_hash(r.body)}" for r in resources if r.generated}
    for resource in resources:
        if resource.generated:
            resource.body["metadata"]["name"] = renamed[resource.name]
        for reference in config_map_references(resource):
            reference["name"] = renamed.get(reference["name"], reference["name"])
    return resources


def config_map_references(resource: Resource) -> Iterator[dict[str, Any]]:
    """The parts of a workload that name a ConfigMap."""
    if resource.kind not in WORKLOADS:
        return
    for container in resource.containers:
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                yield source["configMapRef"]
        for variable in container.get("env", ()):
            if "configMapKeyRef" in variable.get("valueFrom", {}):
                yield variable["valueFrom"]["configMapKeyRef"]
    for volume in resource.pod.get("volumes", ()):
        if "configMap" in volume:
            yield volume["configMap"]


def _layer(folder: Path, root: Path, beneath: list[Resource]) -> list[Resource]:
    """The resources of one kustomization; a component changes those beneath it."""
    file = folder / "kustomization.yaml"
    layer = read_yaml(file, root)[0]
    resources = [*beneath]
    for entry in layer.get("resources", ()):
        path = (folder / entry).resolve()
        resources += _layer(path, root, []) if path.is_dir() else _plain(path, root)
    for entry in layer.get("components", ()):
        resources = _layer((folder / entry).resolve(), root, resources)
    for generator in layer.get("configMapGenerator", ()):
        _generate(generator, resources, file, root)
    for patch in layer.get("patches", ()):
        _patch(patch, resources, file, root)
    if "namespace" in layer:
        _set_namespace(layer["namespace"], resources)
    for labels in layer.get("labels", ()):
        _label(labels, resources)
    for image in layer.get("images", ()):
        _set_image(image, resources)
    return resources


def _plain(path: Path, root: Path) -> list[Resource]:
    file = str(path.relative_to(root))
    bodies = read_yaml(path, root)
    for body in bodies:
        if not isinstance(body, dict) or not {"apiVersion", "kind", "metadata"} <= set(body):
            raise ManifestError(f"{file}: a document without apiVersion, kind and metadata")
    return [Resource(body=body, file=file) for body in bodies]


def _generate(generator: dict[str, Any], resources: list[Resource], file: Path, root: Path) -> None:
    data = dict(literal.split("=", 1) for literal in generator.get("literals", ()))
    data |= {Path(name).name: (file.parent / name).read_text() for name in generator.get("files", ())}
    name = generator["name"]
    found = [r for r in resources if r.generated and r.name == name]
    if generator.get("behavior") == "merge":
        if not found:
            raise ManifestError(f"{file.relative_to(root)}: configMapGenerator {name}: nothing beneath to merge with")
        found[0].body["data"] |= data
        return
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    resources.append(Resource(body=body, file=str(file.relative_to(root)), generated=True))


def _patch(patch: dict[str, Any], resources: list[Resource], file: Path, root: Path) -> None:
    place = file.parent / patch["path"] if "path" in patch else file
    operations = read_yaml(place, root)[0] if "path" in patch else _inline(patch["patch"])
    targets = [r for r in resources if _is_target(r, patch["target"])]
    if not targets:
        raise ManifestError(f"{file.relative_to(root)}: patches: no resource is {patch['target']}")
    for resource in targets:
        try:
            apply(resource.body, copy.deepcopy(operations))
        except PatchError as error:
            raise ManifestError(f"{place.relative_to(root)}: {resource.id}: {error}") from None


def _inline(text: str) -> Any:

    return yaml.safe_load(text)


def _is_target(resource: Resource, target: dict[str, str]) -> bool:
    labels = resource.body["metadata"].get("labels", {})
    wanted = dict(pair.split("=", 1) for pair in filter(None, target.get("labelSelector", "").split(",")))
    return (
        re.fullmatch(target["kind"], resource.kind) is not None
        and re.fullmatch(target.get("name", ".*"), resource.name) is not None
        and wanted.items() <= labels.items()
    )


def _set_namespace(namespace: str, resources: list[Resource]) -> None:
    for resource in resources:
        key = "name" if resource.kind == "Namespace" else "namespace"
        resource.body["metadata"][key] = namespace


def _label(labels: dict[str, Any], resources: list[Resource]) -> None:
    for resource in resources:
        places = [resource.body["metadata"]]
        if labels.get("includeTemplates") and resource.kind in WORKLOADS:
            places.append(resource.body["spec"]["template"]["metadata"])
        for place in places:
            place["labels"] = {**place.get("labels", {}), **labels["pairs"]}


def _set_image(image: dict[str, str], resources: list[Resource]) -> None:
    for resource in (r for r in resources if r.kind in WORKLOADS):
        for container in resource.containers:
            name, _, tag = container["image"].partition(":")
            if name == image["name"]:
                container["image"] = f"{image.get('newName', name)}:{image.get('newTag', tag)}"


def _hash(body: dict[str, Any]) -> str:
    """kustomize's suffix: sha256 of what the ConfigMap holds, as Go writes JSON.

    It looks for the name under the key `metadata/name`, which is not there, so the name is empty.
    """
    held = {"data": body["data"], "kind": body["kind"], "name": ""}
    text = json.dumps(held, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return hashlib.sha256(text.encode()).hexdigest()[:10].translate(HASH_LETTERS)
