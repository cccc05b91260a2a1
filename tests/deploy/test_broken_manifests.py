"""One deliberately broken manifest of each kind: the check names file, resource, field and rule."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.contracts.sources import ROOT, load
from tools.manifests.check import check, outputs
from tools.manifests.findings import ManifestError

CONTRACT = load()
FRESH = outputs(CONTRACT)
BASE, LOCAL, KAFKA = "deploy/k8s/base/", "deploy/k8s/overlays/local/", "deploy/k8s/kafka/"
CONTAINER = "spec.template.spec.containers.0"


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A change of one file and what must be said of it."""

    name: str
    file: str
    old: str
    new: str
    says: str
    """Beginning of a finding, from the file's name on."""


KINDS = [
    Broken(
        name="Namespace",
        file=f"{BASE}namespace.yaml",
        old="enforce: restricted",
        new="enforce: [restricted]",
        says=f"{BASE}namespace.yaml: Namespace/outdial: metadata.labels.pod-security.kubernetes.io/enforce: ['restr",
    ),
    Broken(
        name="Deployment",
        file=f"{BASE}lead-router.yaml",
        old="  replicas: 2",
        new='  replicas: "2"',
        says=f"{BASE}lead-router.yaml: Deployment/lead-router: spec.replicas: '2' is not of type",
    ),
    Broken(
        name="Deployment that does not select its pods",
        file=f"{BASE}console.yaml",
        old="      labels: {app.kubernetes.io/name: console, app",
        new="      labels: {app.kubernetes.io/name: consoles, app",
        says=f"{BASE}console.yaml: Deployment/console: spec.selector.matchLabels: does not match the labels of its own",
    ),
    Broken(
        name="StatefulSet with more replicas than partitions",
        file=f"{BASE}media-gateway.yaml",
        old="  replicas: 1",
        new="  replicas: 5",
        says=f"{BASE}media-gateway.yaml: StatefulSet/media-gateway: spec.replicas: more than the 4 partitions of call.",
    ),
    Broken(
        name="StatefulSet killed before its drain ends",
        file=f"{BASE}media-gateway.yaml",
        old="terminationGracePeriodSeconds: 960",
        new="terminationGracePeriodSeconds: 60",
        says=f"{BASE}media-gateway.yaml: StatefulSet/media-gateway: spec.template.spec.terminationGracePeriodSeconds: "
        "must be OUTDIAL_DRAIN_SECONDS (900) and 30 s more",
    ),
    Broken(
        name="StatefulSet whose replicas are all number 0",
        file=f"{BASE}disposition.yaml",
        old="fieldPath: \"metadata.labels['apps.kubernetes.io/pod-index']\"",
        new="fieldPath: metadata.name",
        says=f"{BASE}disposition.yaml: StatefulSet/disposition: {CONTAINER}.env: OUTDIAL_ORDINAL must come from",
    ),
    Broken(
        name="Job without its configuration",
        file=f"{BASE}migrations.yaml",
        old="- {name: OUTDIAL_POSTGRES_DSN, valueFrom: {secretKeyRef: {name: analytics-postgres, key: dsn}}}",
        new="- {name: PGHOST, value: database}",
        says=f"{BASE}migrations.yaml: Job/analytics-migrate: {CONTAINER}.env: OUTDIAL_POSTGRES_DSN: absent; it must",
    ),
    Broken(
        name="Service without pods",
        file=f"{BASE}pacer.yaml",
        old="  selector: {app.kubernetes.io/name: pacer,",
        new="  selector: {app.kubernetes.io/name: pace,",
        says=f"{BASE}pacer.yaml: Service/pacer: spec.selector: must match the pods of exactly one workload",
    ),
    Broken(
        name="Service port that no pod has",
        file=f"{BASE}lead-router.yaml",
        old="targetPort: grpc}",
        new="targetPort: rpc}",
        says=f"{BASE}lead-router.yaml: Service/lead-router: spec.ports.1.targetPort: rpc TCP is no port of Deployment/",
    ),
    Broken(
        name="ConfigMap with a secret",
        file=f"{BASE}kustomization.yaml",
        old="      - OUTDIAL_LOG_LEVEL=INFO",
        new="      - DATABASE_DSN=postgresql://router:hunter2@database/outdial",
        says=f"{BASE}kustomization.yaml: ConfigMap/outdial-",
    ),
    Broken(
        name="PodDisruptionBudget that never lets go",
        file=f"{BASE}analytics.yaml",
        old="  maxUnavailable: 1",
        new="  maxUnavailable: 0",
        says=f"{BASE}analytics.yaml: PodDisruptionBudget/analytics: spec: lets no pod go",
    ),
    Broken(
        name="NetworkPolicy for nobody",
        file=f"{LOCAL}network-policies.yaml",
        old="{app.kubernetes.io/name: postgres}",
        new="{app.kubernetes.io/name: postgresql}",
        says=f"{LOCAL}network-policies.yaml: NetworkPolicy/postgres: spec.podSelector: matches no pod",
    ),
    Broken(
        name="NetworkPolicy that is stale",
        file=f"{BASE}network-policies.yaml",
        old="      port: 5432",
        new="      port: 5433",
        says=f"{BASE}network-policies.yaml: stale; run `python -m tools.manifests generate`",
    ),
    Broken(
        name="ServiceAccount with a token",
        file=f"{BASE}pacer.yaml",
        old="automountServiceAccountToken: false",
        new="automountServiceAccountToken: true",
        says=f"{BASE}pacer.yaml: ServiceAccount/pacer: automountServiceAccountToken: must be false",
    ),
    Broken(
        name="Secret with a value",
        file=f"{LOCAL}postgres.yaml",
        old="apiVersion: v1\nkind: ServiceAccount",
        new="apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {}\n---\napiVersion: v1\nkind: ServiceAccount",
        says=f"{LOCAL}postgres.yaml: Secret/s: kind: no Secret with values is kept here",
    ),
    Broken(
        name="Secret reference to nothing",
        file=f"{BASE}console.yaml",
        old="{name: agent-secret, key: secret}",
        new="{name: agents-secret, key: secret}",
        says=f"{BASE}console.yaml: Deployment/console: {CONTAINER}.env.2.valueFrom: no Secret agents-secret here or in",
    ),
    Broken(
        name="Secret reference to a key that is not there",
        file=f"{BASE}lead-router.yaml",
        old="{name: token-keys, key: keys}",
        new="{name: token-keys, key: key}",
        says=f"{BASE}lead-router.yaml: Deployment/lead-router: {CONTAINER}.env.2.valueFrom: Secret token-keys has no",
    ),
    Broken(
        name="Secret as a literal",
        file=f"{BASE}console.yaml",
        old="valueFrom: {secretKeyRef: {name: agent-secret, key: secret}}",
        new="value: correct-horse-battery-staple",
        says=f"{BASE}console.yaml: Deployment/console: {CONTAINER}.env.2: OUTDIAL_AGENT_SECRET must come from a Secret",
    ),
    Broken(
        name="KafkaTopic with other partitions",
        file=f"{KAFKA}topics.yaml",
        old="  name: call.dial\n",
        new="  name: call-dial\n",
        says=f"{KAFKA}topics.yaml: KafkaTopic/call.dial: is missing",
    ),
    Broken(
        name="KafkaTopic of no shape",
        file=f"{KAFKA}topics.yaml",
        old="    cleanup.policy: compact\n",
        new="    cleanup.policy: compress\n",
        says=f"{KAFKA}topics.yaml: KafkaTopic/campaign.published: spec.config.cleanup.policy: 'compress' is not one of",
    ),
    Broken(
        name="KafkaUser that may not write its topic",
        file=f"{KAFKA}users.yaml",
        old="        name: lead.ready\n        patternType: literal\n      operations:\n      - Write\n",
        new="        name: lead.ready\n        patternType: literal\n      operations:\n      - Read\n",
        says=f"{KAFKA}users.yaml: KafkaUser/lead-router: spec.authorization: may not write lead.ready",
    ),
    Broken(
        name="KafkaUser that may do all",
        file=f"{KAFKA}users.yaml",
        old="      operations:\n      - Write\n",
        new="      operations:\n      - All\n",
        says=f"{KAFKA}users.yaml: KafkaUser/lead-router: spec.authorization.acls.",
    ),
    Broken(
        name="Kustomization with a field we do not render",
        file=f"{LOCAL}kustomization.yaml",
        old="namespace: outdial-local",
        new="namePrefix: my-",
        says=f"{LOCAL}kustomization.yaml: (top): Additional properties are not allowed ('namePrefix'",
    ),
    Broken(
        name="external.yaml with what nobody needs",
        file="deploy/k8s/external.yaml",
        old="  agent-secret:",
        new="  old-secret: {}\n  agent-secret:",
        says="deploy/k8s/external.yaml: secrets.old-secret: nobody refers to it",
    ),
    Broken(
        name="Dockerfile as root",
        file="Dockerfile",
        old="USER 10001:10001",
        new="USER root",
        says="Dockerfile: line 31: USER must be 10001:10001 in the last stage",
    ),
    Broken(
        name="Dockerfile that pins nothing",
        file="Dockerfile",
        old="install --require-hashes --only-binary :all: -r service.lock",
        new="install -r service.lock",
        says="Dockerfile: line 19: pip install wants --require-hashes",
    ),
    Broken(
        name="Dockerfile that names a registry",
        file="Dockerfile",
        old="FROM ${PYTHON_IMAGE}\n",
        new="FROM registry.example.com/python:3.11\n",
        says="Dockerfile: line 28: FROM must be ${PYTHON_IMAGE}",
    ),
    Broken(
        name=".dockerignore that keeps the lock out",
        file=".dockerignore",
        old="!requirements.lock\n",
        new="",
        says="Dockerfile: line 11: COPY requirements.lock: .dockerignore keeps it out of the build",
    ),
]
RULES = [
    Broken(
        name="image without a tag",
        file=f"{BASE}kustomization.yaml",
        old="{name: outdial/pacer, newTag: 0.1.0}",
        new="{name: outdial/pacer, newTag: latest}",
        says=f"{BASE}pacer.yaml: StatefulSet/pacer: {CONTAINER}.image: outdial/pacer:latest must have a tag other than",
    ),
    Broken(
        name="requests above limits",
        file=f"{BASE}pacer.yaml",
        old="requests: {cpu: 500m, memory: 256Mi}",
        new="requests: {cpu: 500m, memory: 1Gi}",
        says=f"{BASE}pacer.yaml: StatefulSet/pacer: {CONTAINER}.resources.requests.memory: 1Gi is more than its limit",
    ),
    Broken(
        name="no readiness probe",
        file=f"{BASE}patches/probes.yaml",
        old="containers/0/readinessProbe",
        new="containers/0/livenessProbe",
        says=f"{BASE}lead-router.yaml: Deployment/lead-router: {CONTAINER}.readinessProbe: must be given",
    ),
    Broken(
        name="a root file system that can be written",
        file=f"{BASE}patches/restricted.yaml",
        old="readOnlyRootFilesystem: true",
        new="readOnlyRootFilesystem: false",
        says=f"{BASE}migrations.yaml: Job/lead-router-migrate: {CONTAINER}.securityContext.readOnlyRootFilesystem",
    ),
    Broken(
        name="a pod that may be root",
        file=f"{LOCAL}kafka.yaml",
        old="runAsNonRoot: true, runAsUser: 1000,",
        new="runAsUser: 0,",
        says=f"{LOCAL}kafka.yaml: StatefulSet/kafka: spec.template.spec.securityContext.runAsNonRoot: must be true",
    ),
    Broken(
        name="a host network that is not the gateway's",
        file="deploy/k8s/components/host-network/kustomization.yaml",
        old="{kind: StatefulSet, name: media-gateway}",
        new="{kind: StatefulSet, name: pacer}",
        says=f"{BASE}pacer.yaml: StatefulSet/pacer: spec.template.spec.hostNetwork: the host's namespaces are closed",
    ),
    Broken(
        name="a variable that nobody reads",
        file=f"{BASE}media-gateway.yaml",
        old="OUTDIAL_CHANNELS",
        new="OUTDIAL_CHANELS",
        says=f"{BASE}media-gateway.yaml: StatefulSet/media-gateway: {CONTAINER}.env: OUTDIAL_CHANELS is read by nobody",
    ),
    Broken(
        name="an address of nobody",
        file=f"{BASE}disposition.yaml",
        old="compliance-gate:9090",
        new="gate:9090",
        says=f"{BASE}disposition.yaml: StatefulSet/disposition: {CONTAINER}.env: OUTDIAL_GATE_ADDRESS asks gate:9090,",
    ),
    Broken(
        name="a value of the wrong shape",
        file=f"{BASE}media-gateway.yaml",
        old="value: 20000-21999",
        new="value: 20000-70000",
        says=f"{BASE}media-gateway.yaml: StatefulSet/media-gateway: {CONTAINER}.env: OUTDIAL_RTP_PORTS must be",
    ),
    Broken(
        name="a shifted clock",
        file=f"{LOCAL}kustomization.yaml",
        old="      - OUTDIAL_OTLP_ENDPOINT=",
        new="      - OUTDIAL_CLOCK_START=2026-11-17T15:00:00Z",
        says=f"{LOCAL}kustomization.yaml: OUTDIAL_CLOCK_START: must not be set by a deployment",
    ),
    Broken(
        name="a service without its budget",
        file=f"{BASE}lead-router.yaml",
        old="kind: PodDisruptionBudget\nmetadata: {name: lead-router}",
        new="kind: PodDisruptionBudget\nmetadata: {name: lead-routers}",
        says="deploy/k8s/base: PodDisruptionBudget/lead-router: is missing",
    ),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What the check reads, to be broken."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    for name in ("Dockerfile", ".dockerignore", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("libs", "services", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def breaks(copy: Path, broken: Broken) -> list[str]:
    path = copy / broken.file
    text = path.read_text()
    assert broken.old in text, f"{broken.file} no longer says {broken.old!r}"
    path.write_text(text.replace(broken.old, broken.new, 1))
    return [str(finding) for finding in check(copy, CONTRACT, FRESH)]


def test_the_manifests_as_they_are_have_no_finding(copy: Path) -> None:
    assert check(copy, CONTRACT, FRESH) == []


@pytest.mark.parametrize("broken", KINDS, ids=lambda broken: broken.name)
def test_a_broken_one_of_each_kind_is_named_with_file_field_and_rule(copy: Path, broken: Broken) -> None:
    findings = breaks(copy, broken)
    assert any(finding.startswith(broken.says) for finding in findings), findings


@pytest.mark.parametrize("broken", RULES, ids=lambda broken: broken.name)
def test_a_manifest_that_kubernetes_would_take_and_we_do_not(copy: Path, broken: Broken) -> None:
    findings = breaks(copy, broken)
    assert any(finding.startswith(broken.says) for finding in findings), findings


def test_a_patch_that_fits_nothing_is_named(copy: Path) -> None:
    path = copy / BASE / "patches" / "probes.yaml"
    path.write_text(path.read_text().replace("containers/0/startupProbe", "containers/1/startupProbe"))
    with pytest.raises(ManifestError, match=r"probes\.yaml: Deployment/lead-router: add .*/containers/1/startupProbe"):
        check(copy, CONTRACT, FRESH)


def test_a_resource_file_that_is_gone_is_named(copy: Path) -> None:
    (copy / BASE / "analytics.yaml").unlink()
    with pytest.raises(ManifestError, match=r"deploy/k8s/base/analytics\.yaml: no such file"):
        check(copy, CONTRACT, FRESH)
