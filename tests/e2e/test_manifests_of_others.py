"""Manifests that nobody here wrote: `pytest tests/e2e/test_manifests_of_others.py --manifests DIR`.

Every YAML file under DIR is applied as it is to a cluster of three nodes, in a namespace of its own
(a file whose objects name their namespaces is applied there). It is well when each pod that comes
of it is Ready or has done its work, and each workload has all its pods, or its Jobs are complete.
Where the authors mean a pod to fail, `DIR/expected.yaml` says how, by file and by the beginning of
the pod's name; a workload of such pods is not asked for the others:

    website/memory-demo-2.yaml: {memory-demo-2: OOMKilled}
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from realcluster import Cluster, leaving, ready, until

EXPECTED = "expected.yaml"
_MAKES_PODS = {
    "Pod", "Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("kubectl")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder: Path | None = metafunc.config.getoption("--manifests")
    if "manifest" not in metafunc.fixturenames:
        return
    if folder is None:
        reason = "no manifests of others: say where they are with --manifests DIR"
        found = [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")]
    else:
        paths = [each for each in sorted(folder.rglob("*.yaml")) if each.name != EXPECTED]
        found = [pytest.param(each, id=str(each.relative_to(folder))) for each in paths]
    metafunc.parametrize("manifest", found)


@pytest.fixture(scope="module")
def expected(request: pytest.FixtureRequest) -> Mapping[str, Mapping[str, str]]:
    path = request.config.getoption("--manifests") / EXPECTED
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


class Applied:
    """A manifest on a cluster, from `with` to its end."""

    def __init__(self, cluster: Cluster, path: Path, number: int) -> None:
        self.cluster = cluster
        self.path = path
        self.documents = [one for one in _documents(path) if isinstance(one, dict)]
        own = {(one.get("metadata") or {}).get("namespace") for one in self.documents} - {None}
        self._flags = () if own else ("-n", f"others-{number}")
        self.namespaces = own or {f"others-{number}"}

    def __enter__(self) -> "Applied":
        for name in sorted(self.namespaces):
            known = [one["metadata"]["name"] for one in self.cluster.get("namespaces")["items"]]
            if name not in known:
                self.cluster.kubectl("create", "namespace", name)
        self.cluster.kubectl("apply", *self._flags, "-f", str(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        flags = ("--ignore-not-found", "--wait=false")
        self.cluster.kubectl("delete", *self._flags, "-f", str(self.path), *flags)
        for name in sorted(self.namespaces - {"default", "kube-system"}):
            self.cluster.kubectl("delete", "namespace", name, *flags)

    @property
    def makes_pods(self) -> bool:
        return any(one.get("kind") in _MAKES_PODS for one in self.documents)

    def pods(self) -> list[Any]:
        found = [self.cluster.get("pods", "-n", each)["items"] for each in sorted(self.namespaces)]
        return [pod for pod in itertools.chain(*found) if not leaving(pod)]

    def lacking(self, expected: Mapping[str, str]) -> list[str]:
        """What each workload still lacks."""
        found = []
        for one in self.documents:
            name = (one.get("metadata") or {}).get("name", "")
            if one.get("kind") not in _MAKES_PODS - {"Pod"} or name.startswith(tuple(expected)):
                continue
            live = self.cluster.get(one["kind"].lower(), name, *self._flags, *self._space(one))
            lack = lacks(live)
            if lack:
                found.append(f"{one['kind']} {name}: {lack}")
        return found

    def _space(self, document: Any) -> tuple[str, ...]:
        space = document["metadata"].get("namespace")
        return ("-n", space) if space and not self._flags else ()

    def told(self, pod: Any) -> str:
        """What a user would look at next."""
        name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
        events = self.cluster.get("events", "-n", space)["items"]
        said = [
            f"{one['reason']}: {one['message']}"
            for one in events
            if one["involvedObject"].get("name") == name and one["type"] == "Warning"
        ]
        lines = [f"{space}/{name}: {', '.join(sorted(states(pod))) or pod['status'].get('phase')}"]
        return "\n    ".join(lines + said[-4:])


def states(pod: Any) -> set[str]:
    """Why a pod is not well: reasons of its conditions and containers."""
    status = pod["status"]
    found = {
        one.get("reason", "") for one in status.get("conditions", []) if one["status"] != "True"
    }
    for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        for state in (one.get("state"), one.get("lastState")):
            found |= {each.get("reason", "") for each in (state or {}).values()}
    return (found | {status.get("reason", "")}) - {""}


def lacks(workload: Any) -> str:
    """What a workload has too few of; "" for nothing."""
    kind, spec, status = workload["kind"], workload["spec"], workload.get("status", {})
    if kind == "Job":
        conditions = {
            one["type"] for one in status.get("conditions", ()) if one["status"] == "True"
        }
        return "" if "Complete" in conditions else f"{status.get('succeeded', 0)} pods succeeded"
    wanted = status.get("desiredNumberScheduled", spec.get("replicas", 1))
    there = status.get("numberReady" if kind == "DaemonSet" else "readyReplicas", 0)
    return "" if there >= wanted else f"{there} of {wanted} pods are ready"


def well(pod: Any, expected: Mapping[str, str]) -> bool:
    for prefix, reason in expected.items():
        if pod["metadata"]["name"].startswith(prefix):
            return reason in states(pod)
    return ready(pod) or pod["status"].get("phase") == "Succeeded"


def _documents(path: Path) -> Iterator[Any]:
    # kubectl's parser takes \' between double quotes, PyYAML does not.
    for one in yaml.safe_load_all(path.read_text().replace("\\'", "'")):
        yield from one["items"] if isinstance(one, dict) and "items" in one else [one]


_NUMBERS = itertools.count(1)


def test_a_manifest_of_others_runs_as_it_is(
    three_nodes: Cluster,
    manifest: Path,
    expected: Mapping[str, Mapping[str, str]],
    request: pytest.FixtureRequest,
) -> None:
    folder = request.config.getoption("--manifests")
    wanted = expected.get(str(manifest.relative_to(folder)), {})
    seconds = request.config.getoption("--manifests-within")
    with Applied(three_nodes, manifest, next(_NUMBERS)) as applied:
        if not applied.makes_pods:
            return

        def reached() -> bool:
            pods = applied.pods()
            fine = bool(pods) and all(well(pod, wanted) for pod in pods)
            return fine and not applied.lacking(wanted)

        try:
            until("every pod is well", reached, seconds)
        except AssertionError:
            ill = [applied.told(pod) for pod in applied.pods() if not well(pod, wanted)]
            ill += applied.lacking(wanted)
            pytest.fail("\n".join(ill or ["there is no pod"]), pytrace=False)


@pytest.mark.parametrize(
    ("kind", "spec", "status", "lack"),
    [
        ("StatefulSet", {"replicas": 3}, {"readyReplicas": 1}, "1 of 3 pods are ready"),
        ("Deployment", {"replicas": 2}, {"readyReplicas": 2}, ""),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "numberReady": 2}, "2 of 3 pods are ready"),
        ("Job", {}, {"succeeded": 1}, "1 pods succeeded"),
        ("Job", {}, {"conditions": [{"type": "Complete", "status": "True"}]}, ""),
    ],
)
def test_a_workload_says_what_it_lacks(kind: str, spec: Any, status: Any, lack: str) -> None:
    assert lacks({"kind": kind, "spec": spec, "status": status}) == lack


@pytest.mark.parametrize(
    ("status", "reasons"),
    [
        (
            {"conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]},
            {"ContainersNotReady"},
        ),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}},
                                    "lastState": {"terminated": {"reason": "OOMKilled"}}}]},
            {"CrashLoopBackOff", "OOMKilled"},
        ),
        ({"phase": "Failed", "reason": "Evicted"}, {"Evicted"}),
    ],
)  # fmt: skip
def test_a_pod_that_is_not_well_says_why(status: Any, reasons: set[str]) -> None:
    pod = {"metadata": {"name": "one"}, "status": status}
    assert states(pod) == reasons
    assert not well(pod, {})
    assert well(pod, {"on": next(iter(reasons))})
