"""deploy/kubernetes against the schemas of Kubernetes and of the Prometheus operator."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from queue_worker.settings import Settings
from queue_worker.worker.process import CLOSE_PATIENCE
from tests.support.tools import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}
VERSIONS = ("1.30", "1.35")


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def objects() -> list[dict[str, Any]]:
    return [found for path in sorted(FOLDER.glob("*.yaml")) for found in read(path.name)]


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = (found for found in objects() if found["kind"] == kind)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version: str) -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    checked = [found for found in objects() if found["kind"] != "PodMonitor"]
    assert len(checked) == 6
    for found in checked:
        validate(found, version, strict=True)


def test_a_field_that_is_misspelt_would_be_noticed() -> None:
    library = pytest.importorskip("kubernetes_validate")
    deployment = of_kind("Deployment")
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    with pytest.raises(library.ValidationError):
        library.validate(deployment, VERSIONS[-1], strict=True)


# Of the operator's own definition the part that is used here: it comes in no package of Python.
POD_MONITOR = {
    "selector": {"matchLabels"},
    "podMetricsEndpoints": {"port", "path", "interval", "honorLabels", "relabelings"},
}


def test_a_pod_monitor_has_fields_that_the_operator_knows() -> None:
    monitor = of_kind("PodMonitor")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"].keys() == POD_MONITOR.keys()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint.keys() == POD_MONITOR["podMetricsEndpoints"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "queue_worker"}]
    assert monitor["spec"]["selector"].keys() == POD_MONITOR["selector"]


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_a_pod_has_no_rights_and_writes_only_to_tmp(kind: str) -> None:
    pod = of_kind(kind)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert container["resources"]["limits"]["memory"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    user = pod["securityContext"]
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in dockerfile


def test_a_pod_is_given_the_time_to_drain() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    drain = float(of_kind("ConfigMap")["data"]["QUEUE_WORKER_DRAIN_TIMEOUT"])
    needed = drain + DEFAULTS["cancel_grace"] + CLOSE_PATIENCE
    assert pod["terminationGracePeriodSeconds"] > needed


def test_the_probes_ask_what_a_worker_answers() -> None:
    (container,) = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == DEFAULTS["http_port"]
    asked = {name: container[name]["httpGet"]["path"] for name in container if "Probe" in name}
    assert asked == {"startupProbe": "/live", "livenessProbe": "/live", "readinessProbe": "/ready"}
    assert of_kind("ConfigMap")["data"]["QUEUE_WORKER_HTTP_HOST"] == "0.0.0.0"
    assert of_kind("PodMonitor")["spec"]["podMetricsEndpoints"][0]["port"] == port["name"]


def test_what_selects_pods_selects_the_workers_alone() -> None:
    worker = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    migrate = of_kind("Job")["spec"]["template"]["metadata"]["labels"]
    for kind in ("Deployment", "PodDisruptionBudget", "PodMonitor"):
        wanted = of_kind(kind)["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= worker.items()
        assert not wanted.items() <= migrate.items()


def test_what_a_pod_takes_its_environment_from_is_there_and_holds_settings() -> None:
    known = {field.alias for field in Settings.model_fields.values()}
    given = {
        (found["kind"], found["metadata"]["name"]): set(found.get("data") or found["stringData"])
        for found in objects()
        if found["kind"] in {"ConfigMap", "Secret"}
    }
    assert set().union(*given.values()) <= known
    for kind in ("Deployment", "Job"):
        (container,) = of_kind(kind)["spec"]["template"]["spec"]["containers"]
        config, secret = container["envFrom"]
        assert ("ConfigMap", config["configMapRef"]["name"]) in given
        assert "DATABASE_URL" in given["Secret", secret["secretRef"]["name"]]
