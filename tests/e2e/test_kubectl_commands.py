"""What people type, with the real kubectl against a real server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubectl_world
import pytest
from kubectl_world import World

pytestmark = pytest.mark.e2e

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.27", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c, image: nginx}]}
"""
NODE = "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with kubectl_world.running(tmp_path) as found:
        yield found


def _apply(world: World, manifest: str) -> str:
    return world.kubectl("apply", "-f", "-", stdin=manifest)


def _pods(world: World, *names: str) -> None:
    for name in names:
        world.kubectl("create", "-f", "-", stdin=POD.replace("NAME", name))


def _lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_apply_creates_then_leaves_alone_then_changes(world: World) -> None:
    assert _apply(world, WEB) == "deployment.apps/web created\nservice/web created\n"
    assert _apply(world, WEB) == "deployment.apps/web unchanged\nservice/web unchanged\n"
    more = WEB.replace("replicas: 2", "replicas: 3")
    diff = world.kubectl.run("diff", "-f", "-", stdin=more)
    assert diff.code == 1
    assert "-  replicas: 2\n+  replicas: 3\n" in diff.out
    assert _apply(world, more) == "deployment.apps/web configured\nservice/web unchanged\n"
    assert world.get("deployments.apps", "web")["spec"]["replicas"] == 3
    assert world.kubectl("replace", "-f", "-", stdin=WEB).startswith("deployment.apps/web replaced")
    assert world.get("deployments.apps", "web")["spec"]["replicas"] == 2


def test_get_in_every_form(world: World) -> None:
    _pods(world, "b", "a")
    kubectl = world.kubectl
    head, first, second = _lines(kubectl("get", "pods"))
    assert head == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert (first[:4], second[0]) == (["a", "0/1", "Pending", "0"], "b")
    wide = _lines(kubectl("get", "pods", "-o", "wide"))[1]
    assert wide[5:7] == ["<none>", "n1"]
    assert _lines(kubectl("get", "po", "-A", "--no-headers"))[0][:2] == ["default", "a"]
    assert kubectl("get", "pods", "-o", "name") == "pod/a\npod/b\n"
    assert kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.name}") == "a b"
    assert json.loads(kubectl("get", "pod", "a", "-o", "json"))["kind"] == "Pod"
    assert "kind: Pod\n" in kubectl("get", "pod", "a", "-o", "yaml")
    latest = kubectl("get", "pods", "--sort-by={.metadata.creationTimestamp}", "-o", "name")
    assert sorted(latest.split()) == ["pod/a", "pod/b"]
    by_name = _lines(kubectl("get", "pods", "--sort-by=.metadata.name"))
    assert [row[0] for row in by_name] == ["NAME", "a", "b"]
    assert kubectl("get", "pods", "-l", "app=web,app!=x", "-o", "name").count("pod/") == 2
    assert kubectl("get", "pods", "-l", "app in (x)", "-o", "name") == ""
    picked = kubectl("get", "pods", "--field-selector", "metadata.name=b,spec.nodeName=n1")
    assert [row[0] for row in _lines(picked)] == ["NAME", "b"]
    everything = kubectl("get", "all", "-A")
    assert "service/kubernetes" in everything
    assert "pod/a" in everything
    assert kubectl("get", "--raw", "/readyz") == "ok"


def test_get_watches(world: World) -> None:
    with world.kubectl.start("get", "pods", "-w", "--output-watch-events") as watch:
        _pods(world, "a")
        assert watch.line().split() == ["EVENT", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
        assert watch.line().split()[:4] == ["ADDED", "a", "0/1", "Pending"]
        world.set_status("pods", "a", {"phase": "Running"})
        assert watch.line().split()[:4] == ["MODIFIED", "a", "0/1", "Running"]
        world.finish("pods", "a")
        assert watch.line().split()[:2] == ["DELETED", "a"]


def test_describe(world: World) -> None:
    _apply(world, WEB)
    _apply(world, NODE)
    _pods(world, "a")
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "a.1", "namespace": "default"},
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "name": "a", "namespace": "default",
            "uid": world.get("pods", "a")["metadata"]["uid"],
        },
        "type": "Warning", "reason": "FailedScheduling", "message": "no nodes", "count": 1,
    }  # fmt: skip
    world.kubectl("create", "-f", "-", stdin=json.dumps(event))
    pod = world.kubectl("describe", "pod", "a")
    assert ["Warning", "FailedScheduling"] in [line[:2] for line in _lines(pod)]
    assert "no nodes" in pod
    deployment = world.kubectl("describe", "deployment", "web")
    assert "2 desired | 0 updated | 0 total" in deployment
    node = world.kubectl("describe", "node", "n1")
    assert "default                     a" in node
    assert "IPs:" in world.kubectl("describe", "service", "web")
    assert "Status:       Active" in world.kubectl("describe", "namespace", "default")


def test_delete_waits_until_the_object_is_gone(world: World) -> None:
    _pods(world, "a")
    with world.kubectl.start("delete", "pod", "a") as delete:
        pods = world.registry.cache.of("pods")
        world.until(
            lambda: any("deletionTimestamp" in e.document()["metadata"] for e in pods.scan(""))
        )
        assert 'pod "a" deleted' in delete.line()
        assert delete.running
        world.finish("pods", "a")
        assert delete.wait().code == 0
    assert 'pods "a" not found' in world.kubectl.run("get", "pod", "a").err


def test_delete_by_file_label_and_name(world: World) -> None:
    _apply(world, WEB)
    gone = world.kubectl("delete", "-f", "-", stdin=WEB)
    assert gone.splitlines()[0].startswith('deployment.apps "web" deleted')
    for name in ("a", "b"):
        world.kubectl("create", "configmap", name, "--from-literal=k=v")
        world.kubectl("label", "configmap", name, f"of={name}")
    world.kubectl("delete", "configmap", "-l", "of=a")
    assert world.kubectl("get", "cm", "-l", "of", "-o", "name") == "configmap/b\n"
    world.kubectl("delete", "configmap", "--all")
    assert world.kubectl("get", "cm", "-l", "of", "-o", "name") == ""
    world.kubectl("delete", "configmap", "none", "--ignore-not-found")


def test_changes_of_all_kinds(world: World) -> None:
    kubectl = world.kubectl
    _apply(world, WEB)

    def deployment() -> dict[str, Any]:
        return world.get("deployments.apps", "web")

    kubectl("scale", "deployment/web", "--replicas=5")
    assert deployment()["spec"]["replicas"] == 5
    kubectl("label", "deployment/web", "tier=front")
    assert deployment()["metadata"]["labels"] == {"app": "web", "tier": "front"}
    kubectl("label", "deployment/web", "tier-")
    assert deployment()["metadata"]["labels"] == {"app": "web"}
    kubectl("annotate", "deployment/web", "note=x")
    assert deployment()["metadata"]["annotations"]["note"] == "x"
    kubectl("patch", "deployment/web", "-p", '{"spec":{"replicas":1}}')
    kubectl("patch", "deployment/web", "--type=merge", "-p", '{"spec":{"paused":true}}')
    kubectl(
        "patch", "deployment/web", "--type=json", "-p",
        '[{"op":"add","path":"/spec/minReadySeconds","value":7}]',
    )  # fmt: skip
    spec = deployment()["spec"]
    assert (spec["replicas"], spec["paused"], spec["minReadySeconds"]) == (1, True, 7)
    kubectl("set", "image", "deployment/web", "web=nginx:1.28")
    container = deployment()["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["ports"][0]["containerPort"]) == ("nginx:1.28", 80)
    kubectl("edit", "deployment/web", EDITOR="sed -i s/minReadySeconds:.7/minReadySeconds:\\ 9/")
    assert deployment()["spec"]["minReadySeconds"] == 9


def test_nodes_are_cordoned_and_tainted(world: World) -> None:
    kubectl = world.kubectl
    _apply(world, NODE)
    kubectl("cordon", "n1")
    assert _lines(kubectl("get", "nodes"))[1][1] == "Unknown,SchedulingDisabled"
    kubectl("uncordon", "n1")
    assert not world.get("nodes", "n1")["spec"].get("unschedulable")
    kubectl("taint", "node", "n1", "a=b:NoSchedule")
    taints = world.get("nodes", "n1")["spec"]["taints"]
    assert {"key": "a", "value": "b", "effect": "NoSchedule"} in taints


def test_wait_and_rollout_status_see_what_controllers_write(world: World) -> None:
    _apply(world, WEB)
    with world.kubectl.start("rollout", "status", "deployment/web") as rollout:
        status = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1}
        world.set_status("deployments.apps", "web", status)
        done = status | {"updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
        available = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}
        world.set_status("deployments.apps", "web", done | {"conditions": [available]})
        ended = rollout.wait()
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith('deployment "web" successfully rolled out\n')
    world.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=10s")
    world.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/web")
    late = world.kubectl.run("wait", "--for=delete", "deployment/web", "--timeout=1s")
    assert (late.code, "timed out" in late.err) == (1, True)


def test_generators(world: World) -> None:
    kubectl = world.kubectl
    kubectl("create", "deployment", "d", "--image=nginx", "--replicas=3")
    kubectl("create", "configmap", "c", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    kubectl("create", "namespace", "n")
    kubectl("create", "serviceaccount", "sa")
    kubectl("run", "p", "--image=nginx")
    kubectl("expose", "deployment", "d", "--port=80", "--name=svc")
    assert world.get("deployments.apps", "d")["spec"]["replicas"] == 3
    assert world.get("secrets", "s")["data"] == {"a": "Yg=="}
    assert world.get("services", "svc")["spec"]["ports"][0]["targetPort"] == 80
    dry = kubectl("create", "configmap", "dry", "--dry-run=server", "-o", "name")
    assert dry == "configmap/dry\n"
    assert world.kubectl.run("get", "configmap", "dry").code == 1


def test_what_the_server_tells_of_itself(world: World) -> None:
    kubectl = world.kubectl
    # By name: the first that kubectl finds, which is the one that it means by the name.
    rows: dict[str, list[str]] = {}
    for line in _lines(kubectl("api-resources", "--no-headers")):
        rows.setdefault(line[0], line)
    assert rows["deployments"] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
    assert rows["nodes"] == ["nodes", "no", "v1", "false", "Node"]
    assert {"v1", "apps/v1", "coordination.k8s.io/v1"} <= set(kubectl("api-versions").split())
    assert "+kubemu" in kubectl("version")
    assert "is running at" in kubectl("cluster-info")
    explained = kubectl("explain", "pod.spec.containers")
    assert "FIELD: containers <[]Container>" in explained
    assert "image\t<string>" in explained
    assert "replicas\t<integer>" in kubectl("explain", "deployment.spec")
    assert "containers\t<[]Container> -required-" in kubectl("explain", "pod", "--recursive")


BAD: list[tuple[tuple[str, ...], str, str]] = [
    (("get", "cats"), "", "the server doesn't have a resource type"),
    (("get", "pod", "none"), "", 'pods "none" not found'),
    (("create", "configmap", "old"), "", 'configmaps "old" already exists'),
    (("create", "configmap", "n" * 254), "", "must be no more than 253"),
    (("create", "-f", "-"), POD.replace("NAME", "Bad_Name"), "RFC 1123"),
    (("create", "-f", "-"), POD.replace("image:", "colour: red, image:").replace("NAME", "x"),
     'unknown field "spec.containers[0].colour"'),
    (("create", "-f", "-"), POD.replace("image: nginx", "image: 7").replace("NAME", "x"),
     "cannot unmarshal number"),
    (("patch", "deployment", "web", "-p", '{"spec":{"selector":{"matchLabels":{"a":"b"}}}}'), "",
     "field is immutable"),
    (("patch", "configmap", "old", "--type=json", "-p",
      '[{"op":"test","path":"/metadata/resourceVersion","value":"1"}]'), "",
     "The request is invalid"),
    (("get", "pods", "-l", "a in"), "", "unable to parse requirement"),
    (("get", "pods", "--field-selector", "colour=red"), "", "field label not supported: colour"),
    (("logs", "a"), "", 'nodes "n1" not found'),
    (("exec", "a", "--", "ls"), "", 'nodes "n1" not found'),
]  # fmt: skip


def test_bad_input_is_explained(world: World) -> None:
    _apply(world, WEB)
    _pods(world, "a")
    world.kubectl("create", "configmap", "old")
    wrong = []
    for args, stdin, words in BAD:
        done = world.kubectl.run(*args, stdin=stdin)
        if done.code == 0 or words not in done.err or "InternalError" in done.err:
            wrong.append(f"kubectl {' '.join(args)}: {done.code} {done.out}{done.err}")
    assert wrong == []


def test_a_stale_replace_is_a_conflict(world: World) -> None:
    world.kubectl("create", "configmap", "c")
    old = world.kubectl("get", "configmap", "c", "-o", "yaml")
    world.kubectl("label", "configmap", "c", "a=b")
    done = world.kubectl.run("replace", "-f", "-", stdin=old)
    assert done.code == 1
    assert "the object has been modified; please apply your changes" in done.err


def test_a_file_that_is_too_large_is_refused(world: World, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_text("x" * (4 << 20))
    done = world.kubectl.run("create", "configmap", "c", f"--from-file={big}")
    assert done.code == 1
    assert "Request entity too large: limit is 3145728" in done.err
