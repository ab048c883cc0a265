"""The example for Kubernetes, as far as it can be checked without one: form, names, and that the parts fit together."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.cli.command import ROOT

DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "config/kuberay.yaml").read_text(encoding="utf-8")))
CLAIM, JOB = DOCUMENTS
CLUSTER = JOB["spec"]["rayClusterSpec"]
(WORKERS,) = CLUSTER["workerGroupSpecs"]
PODS = [CLUSTER["headGroupSpec"]["template"]["spec"], WORKERS["template"]["spec"]]
# the fields of KubeRay's API, ray.io/v1, that a crawl may need
JOB_FIELDS = {
    *("entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit", "activeDeadlineSeconds"),
    *("rayClusterSpec", "clusterSelector", "runtimeEnvYAML", "submissionMode", "suspend", "metadata", "jobId"),
}
CLUSTER_FIELDS = {"rayVersion", "headGroupSpec", "workerGroupSpecs", "enableInTreeAutoscaling", "autoscalerOptions"}
GROUP_FIELDS = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}


def test_it_is_a_volume_and_a_job_of_kuberay() -> None:
    assert (CLAIM["apiVersion"], CLAIM["kind"]) == ("v1", "PersistentVolumeClaim")
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    assert JOB["spec"].keys() <= JOB_FIELDS
    assert CLUSTER.keys() <= CLUSTER_FIELDS
    assert CLUSTER["headGroupSpec"].keys() <= {"rayStartParams", "template", "serviceType"}
    assert WORKERS.keys() <= GROUP_FIELDS
    assert WORKERS["minReplicas"] <= WORKERS["replicas"] <= WORKERS["maxReplicas"]
    for group in (CLUSTER["headGroupSpec"], WORKERS):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_every_name_is_one_that_kubernetes_takes() -> None:
    names = [document["metadata"]["name"] for document in DOCUMENTS] + [WORKERS["groupName"]]
    names += [container["name"] for pod in PODS for container in pod["containers"]]

    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name) for name in names)


def test_every_node_has_the_folder_and_the_seeds_where_the_command_looks_for_them() -> None:
    words = shlex.split(JOB["spec"]["entrypoint"])

    for pod in PODS:
        (container,) = pod["containers"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
        assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == CLAIM["metadata"]["name"]
        assert words[3].startswith(f"{mounts['seeds']}/")
        assert words[words.index("-o") + 1].startswith(f"{mounts['out']}/")
    assert "ReadWriteMany" in CLAIM["spec"]["accessModes"]


def test_the_nodes_have_room_for_the_shards_and_one_version_of_ray() -> None:
    words = shlex.split(JOB["spec"]["entrypoint"])
    shards = int(words[words.index("--shards") + 1])
    (container,) = WORKERS["template"]["spec"]["containers"]
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")

    assert shards * 2 <= WORKERS["replicas"] * int(container["resources"]["requests"]["cpu"])
    assert f"ray=={CLUSTER['rayVersion']}\n" in constraints
    assert {pod["containers"][0]["image"].rpartition(":")[2] for pod in PODS} == {CLUSTER["rayVersion"]}
