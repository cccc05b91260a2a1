"""Our reader of kustomizations renders what kustomize renders."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tools.contracts.sources import ROOT
from tools.manifests.findings import K8S
from tools.manifests.json_patch import PatchError, apply
from tools.manifests.kustomize import render

FOLDERS = ("base", "kafka", "overlays/local", "overlays/host-network")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl, a peer program, is not installed")
@pytest.mark.parametrize("folder", FOLDERS)
def test_renders_what_kubectl_renders(folder: str) -> None:
    command = ["kubectl", "kustomize", str(ROOT / K8S / folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    theirs = {(b["kind"], b["metadata"]["name"]): b for b in yaml.safe_load_all(done.stdout)}
    ours = {(r.kind, r.name): r.body for r in render(ROOT / K8S / folder, ROOT)}
    assert ours.keys() == theirs.keys()
    for name, body in ours.items():
        assert body == theirs[name]


def test_every_kustomization_is_rendered_by_the_check_or_used_by_one_that_is() -> None:
    folders = {str(p.parent.relative_to(ROOT / K8S)) for p in (ROOT / K8S).rglob("kustomization.yaml")}
    assert folders == {*FOLDERS, "components/host-network"}


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        ({"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3]}),
        ({"op": "add", "path": "/a/0", "value": 3}, {"a": [3, 1, 2]}),
        ({"op": "add", "path": "/b~1c", "value": 3}, {"a": [1, 2], "b/c": 3}),
        ({"op": "replace", "path": "/a/1", "value": 3}, {"a": [1, 3]}),
        ({"op": "remove", "path": "/a"}, {}),
        ({"op": "test", "path": "/a/0", "value": 1}, {"a": [1, 2]}),
    ],
)
def test_patch_operation(operation: dict[str, Any], after: dict[str, Any]) -> None:
    document = {"a": [1, 2]}
    apply(document, [operation])
    assert document == after


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/b", "value": 3},
        {"op": "remove", "path": "/a/7"},
        {"op": "add", "path": "/b/c", "value": 3},
        {"op": "test", "path": "/a/0", "value": 2},
        {"op": "move", "path": "/a", "from": "/b"},
    ],
)
def test_patch_that_does_not_fit_is_an_error_with_its_path(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError, match=operation["path"]):
        apply({"a": [1, 2]}, [operation])
