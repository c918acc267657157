"""Several kubectls at the kinds of apps, batch, autoscaling, policy and core."""

from pathlib import Path

import kubectl_world
import pytest

pytestmark = pytest.mark.e2e

_WANTED = ("kubectl.1.27", "kubectl.1.30", "kubectl.1.33")
VERSIONS = [path for path in kubectl_world.versions() if Path(path).name in _WANTED] or [""]
MANIFEST = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "postgres"}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: "agent"}]}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: old}
spec:
  selector: {app: old}
  template:
    metadata: {labels: {app: old}}
    spec: {containers: [{name: old, image: "old"}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /x}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: sizes}
spec: {limits: [{type: Container, max: {cpu: "2"}}]}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: v1
kind: Pod
metadata: {name: lone, labels: {app: lone}}
spec: {nodeName: n1, terminationGracePeriodSeconds: 0, containers: [{name: lone, image: lone}]}
"""


@pytest.mark.parametrize("binary", VERSIONS, ids=[Path(path).name for path in VERSIONS])
def test_every_kind_is_made_shown_and_taken_away(binary: str, tmp_path: Path) -> None:
    with kubectl_world.running(tmp_path) as world:
        kubectl = kubectl_world.Kubectl(world, binary)
        kubectl("apply", "-f", "-", stdin=MANIFEST)
        again = kubectl("apply", "-f", "-", stdin=MANIFEST)
        # Lists without a merge key are sent anew where the server has filled them in.
        assert again.count("unchanged") == MANIFEST.count("apiVersion") - 2
        kubectl("create", "job", "once", "--image=busybox", "--", "true")
        kubectl("create", "cronjob", "often", "--image=busybox", "--schedule=*/5 * * * *")
        kubectl("create", "job", "now", "--from=cronjob/often")
        kubectl("create", "quota", "few", "--hard=pods=3,requests.cpu=1")
        kubectl("create", "pdb", "keep", "--selector=app=lone", "--min-available=1")
        kubectl("autoscale", "statefulset", "db", "--max=4", "--cpu-percent=50")
        kubectl("scale", "statefulset/db", "--replicas=3")
        kubectl("scale", "rc/old", "--replicas=2")
        assert world.get("statefulsets.apps", "db")["spec"]["replicas"] == 3
        assert world.get("replicationcontrollers", "old")["spec"]["replicas"] == 2
        autoscaler = world.get("horizontalpodautoscalers.autoscaling", "db")
        (metric,) = autoscaler["spec"]["metrics"]
        assert metric["resource"]["target"]["averageUtilization"] == 50
        job = world.get("jobs.batch", "once")
        assert job["spec"]["template"]["metadata"]["labels"]["job-name"] == "once"
        shown = kubectl("get", "all")
        for name in (
            "statefulset.apps/db", "daemonset.apps/agent", "replicationcontroller/old",
            "job.batch/once", "cronjob.batch/often", "horizontalpodautoscaler.autoscaling/db",
        ):  # fmt: skip
            assert name in shown
        for kind in (
            "sts/db", "ds/agent", "rc/old", "job/once", "cj/often", "hpa/db", "pdb/keep",
            "quota/few", "limits/sizes", "pvc/data", "pv/disk",
        ):  # fmt: skip
            short, _, name = kind.partition("/")
            assert name in kubectl("get", short, "-o", "wide")
            assert f"Name:  {name}"[:5] in kubectl("describe", short, name)
        assert "targetCPUUtilizationPercentage: 50" in kubectl(
            "get", "horizontalpodautoscalers.v1.autoscaling", "db", "-o", "yaml"
        )
        assert "concurrencyPolicy" in kubectl("explain", "cronjob.spec")
        assert "once" in kubectl("delete", "job", "once")
        kubectl("delete", "sts,ds,rc,cj,hpa,pdb,quota,limits", "--all")
        # Nobody is here to take the finalizers of protection away.
        assert "claim" in kubectl("delete", "pvc,pv", "--all", "--wait=false")
        finalizers = "jsonpath={.items[*].metadata.finalizers}"
        assert "kubernetes.io/pvc-protection" in kubectl("get", "pvc", "-o", finalizers)


@pytest.mark.parametrize("binary", VERSIONS, ids=[Path(path).name for path in VERSIONS])
def test_a_drain_waits_for_the_budget(binary: str, tmp_path: Path) -> None:
    with kubectl_world.running(tmp_path) as world:
        kubectl = kubectl_world.Kubectl(world, binary)
        kubectl("apply", "-f", "-", stdin=MANIFEST)
        kubectl("create", "pdb", "keep", "--selector=app=lone", "--min-available=1")
        running = '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}'
        patch = ("patch", "--subresource=status", "--type=merge")
        kubectl(*patch, "pod", "lone", "-p", running)
        seen = '{"status":{"observedGeneration":1,"desiredHealthy":1,"currentHealthy":1}}'
        kubectl(*patch, "pdb", "keep", "-p", seen)
        drain = ("drain", "n1", "--force", "--disable-eviction=false")
        refused = kubectl.run(*drain, "--timeout=2s")
        assert refused.code != 0
        assert "would violate the pod's disruption budget" in refused.err
        told = '{"status":{"disruptionsAllowed":1,"expectedPods":2}}'
        kubectl(*patch, "pdb", "keep", "-p", told)
        assert "lone evicted" in kubectl(*drain)
        assert world.get("poddisruptionbudgets.policy", "keep")["status"]["disruptionsAllowed"] == 0
