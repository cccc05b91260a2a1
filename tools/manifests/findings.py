"""What a check has to say, and where the files are."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = Path("deploy") / "k8s"
WORKLOADS = ("Deployment", "StatefulSet", "Job")
RUNNING = ("Deployment", "StatefulSet")


class ManifestError(Exception):
    """A file can't be read or rendered; the text names file, field and rule."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One broken rule."""

    file: str
    """Relative to the repository."""
    resource: str
    """Kind/name, or "" for a whole file."""
    field: str
    rule: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.file, self.resource, self.field, self.rule)))


@dataclass(kw_only=True)
class Resource:
    """One Kubernetes object and the file it came from; `body` changes while it is rendered."""

    body: dict[str, Any]
    file: str
    generated: bool = field(default=False)
    """Made by a configMapGenerator, so its name gets a hash."""

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def pod(self) -> dict[str, Any]:
        """The pod template's spec of a workload."""
        spec: dict[str, Any] = self.body["spec"]["template"]["spec"]
        return spec

    @property
    def pod_labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.body["spec"]["template"]["metadata"].get("labels", {})
        return labels

    @property
    def containers(self) -> list[dict[str, Any]]:
        containers: list[dict[str, Any]] = self.pod["containers"]
        return containers

    def finding(self, field: str, rule: str) -> Finding:
        return Finding(file=self.file, resource=self.id, field=field, rule=rule)


def read_yaml(path: Path, root: Path) -> list[Any]:
    """The documents of a YAML file.

    Raises:
        ManifestError: it is absent or no YAML.
    """
    try:
        return copy.deepcopy(_parsed(path.read_text()))
    except FileNotFoundError:
        raise ManifestError(f"{path.relative_to(root)}: no such file") from None
    except yaml.YAMLError as error:
        raise ManifestError(f"{path.relative_to(root)}: no YAML: {' '.join(str(error).split())}") from None


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> list[Any]:
    """Once per text: several kustomizations are made of the same files."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(text, Loader=loader) if document is not None]
