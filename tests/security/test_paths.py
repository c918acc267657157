"""Paths that lead out: of volumes, of copies, of logs, of proxies."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from realcluster import until
from securityworld import Outside

POD = """
apiVersion: v1
kind: ConfigMap
metadata: {name: keys}
data: {good: g}
---
apiVersion: v1
kind: Pod
metadata: {name: paths}
spec:
  nodeName: node-1
  containers:
  - name: c
    image: busybox
    command: [sleep, "3600"]
    volumeMounts:
    - {name: empty, mountPath: /empty}
    - {name: host, mountPath: /host}
    - {name: keys, mountPath: /keys}
  volumes:
  - name: empty
    emptyDir: {}
  - name: host
    hostPath: {path: /etc}
  - name: keys
    configMap: {name: keys}
"""
LINKED = """
apiVersion: v1
kind: Pod
metadata: {name: linked}
spec:
  nodeName: node-1
  containers:
  - name: c
    image: busybox
    command: [sleep, "3600"]
    volumeMounts:
    - {name: host, mountPath: /through, subPath: security/out}
  volumes:
  - name: host
    hostPath: {path: /etc}
"""
CANARY = "canary-of-the-machine"


@pytest.fixture(scope="module")
def cluster(outside: Outside) -> Outside:
    (outside.folder / "canary").write_text(CANARY)
    outside.apply(POD)
    outside.running("paths")
    return outside


def sh(cluster: Outside, script: str, pod: str = "paths") -> str:
    """What a script in the container says, and its errors."""
    done = subprocess.run(
        ["kubectl", "exec", pod, "--", "sh", "-c", script],
        env=cluster.cluster.environment, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_links_in_volumes_end_in_the_container(cluster: Outside) -> None:
    target = cluster.folder / "canary"
    up = "/".join([".."] * 30)
    for place in ("/empty", "/host", "/tmp"):
        for link in (str(target), f"{up}{target}"):
            said = sh(cluster, f"ln -sf {link} {place}/out; cat {place}/out; ls -d {place}/out/..")
            assert CANARY not in said
    assert CANARY not in sh(
        cluster, f"ln -sfn {up}{cluster.folder} /empty/dir; cat /empty/dir/canary"
    )
    sh(cluster, f"ln -sf {target} /empty/write; echo changed > /empty/write")
    assert target.read_text() == CANARY


def test_a_nodes_root_is_not_the_machines(cluster: Outside) -> None:
    assert Path("/etc/passwd").read_text() not in sh(cluster, "cat /host/passwd")
    up = "/".join([".."] * 20)
    said = sh(cluster, f"cat /host/{up}{cluster.folder}/canary /keys/{up}{cluster.folder}/canary")
    assert CANARY not in said


def test_a_sub_path_through_a_link_is_refused(cluster: Outside) -> None:
    sh(cluster, f"mkdir -p /host/security; ln -sfn {cluster.folder} /host/security/out")
    cluster.apply(LINKED)

    def settled() -> str:
        pod = cluster.cluster.get("pod", "linked")
        (status,) = pod["status"].get("containerStatuses") or [{}]
        state = status.get("state") or {}
        return (state.get("waiting") or {}).get("message", "") or (
            "running" if "running" in state else ""
        )

    if until("a word of the container", settled, 20) == "running":
        assert CANARY not in sh(cluster, "cat /through/canary", "linked")


@pytest.mark.parametrize("key", ["../x", "a/b", "..", ".", "a\\0b"])
def test_keys_are_no_paths(cluster: Outside, key: str) -> None:
    body = {"metadata": {"name": "bad"}, "data": {key: "v"}}
    found = cluster.ask("POST", "/api/v1/namespaces/default/configmaps", "admin", body)
    assert found.status == 422


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc"])
def test_items_and_sub_paths_do_not_lead_up(cluster: Outside, path: str) -> None:
    volume = {"name": "v", "configMap": {"name": "keys", "items": [{"key": "good", "path": path}]}}
    mount = {"name": "v", "mountPath": "/v", "subPath": path}
    for volumes, mounts in (([volume], []), ([{"name": "v", "emptyDir": {}}], [mount])):
        spec = {"containers": [{"name": "c", "image": "busybox", "volumeMounts": mounts}]}
        body = {"metadata": {"name": "bad"}, "spec": {**spec, "volumes": volumes}}
        found = cluster.ask("POST", "/api/v1/namespaces/default/pods", "admin", body)
        assert found.status == 422


def test_a_copied_archive_writes_nothing_outside(cluster: Outside) -> None:
    """What `kubectl cp` sends is tar, unpacked by the container's own tar."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(cluster.folder)
        tar.addfile(link)
        for name in (f"{'../' * 20}{cluster.folder}/escaped", "link/escaped", "/escaped"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    subprocess.run(
        ["kubectl", "exec", "-i", "paths", "--", "tar", "xf", "-", "-C", "/empty"],
        env=cluster.cluster.environment, input=archive.getvalue(), capture_output=True,
        check=False, timeout=30,
    )  # fmt: skip
    assert not (cluster.folder / "escaped").exists()
    assert not Path("/escaped").exists()


def test_a_copy_out_of_a_container_writes_nothing_outside(cluster: Outside, tmp_path: Path) -> None:
    sh(cluster, "mkdir -p /tmp/d; ln -sf /etc /tmp/d/l; echo x > /tmp/d/..evil")
    cluster.cluster.kubectl("cp", "paths:/tmp/d", str(tmp_path / "d"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d"]


LOGS = "/api/v1/nodes/node-1/proxy"


@pytest.mark.parametrize(
    "path",
    [
        f"{LOGS}/logs/../../../../etc/passwd", f"{LOGS}/logs/%2e%2e/%2e%2e/etc/passwd",
        f"{LOGS}/logs/..%2f..%2fetc%2fpasswd", f"{LOGS}/logs//etc/passwd",
        f"{LOGS}/containerLogs/../../etc/passwd/c", f"{LOGS}/containerLogs/default/..%2f..%2fx/c",
        "/api/v1/namespaces/default/pods/..%2f..%2fetc/log",
        "/api/v1/namespaces/default/pods/paths/log?container=../../c",
        "/api/v1/namespaces/default/pods/paths/proxy/../../../../secrets",
        "/logs/../etc/passwd",
    ],
)  # fmt: skip
def test_logs_and_proxies_serve_no_files_of_the_machine(cluster: Outside, path: str) -> None:
    found = cluster.ask("GET", path, "admin")
    assert b"root:" not in found.body
    assert found.status in (400, 403, 404, 503)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nodes/169.254.169.254/proxy/", "/api/v1/nodes/https:169.254.169.254:80/proxy/",
        "/api/v1/namespaces/default/pods/169.254.169.254:80/proxy/latest/meta-data",
        "/api/v1/namespaces/default/services/http:169.254.169.254:80/proxy/",
        "/api/v1/nodes/node-1:22/proxy/", "/api/v1/nodes/node-1@169.254.169.254/proxy/",
    ],
)  # fmt: skip
def test_a_proxy_reaches_objects_of_the_cluster_only(cluster: Outside, path: str) -> None:
    assert cluster.ask("GET", path, "admin").status in (400, 404, 503)


def test_a_pod_that_says_it_is_link_local_is_reached_by_nobody(cluster: Outside) -> None:
    spec = {"nodeName": "node-9", "containers": [{"name": "c", "image": "busybox"}]}
    pods = "/api/v1/namespaces/default/pods"
    made = {"metadata": {"name": "liar"}, "spec": spec}
    assert cluster.ask("POST", pods, "admin", made).status == 201
    for address in ("169.254.169.254", "127.0.0.1", "0.0.0.0", "224.0.0.1"):
        status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
        media = "application/merge-patch+json"
        assert (
            cluster.ask("PATCH", f"{pods}/liar/status", "admin", status, media=media).status < 300
        )
        found = cluster.ask("GET", f"{pods}/liar:80/proxy/", "admin")
        assert (found.status, found.status_message()) == (400, "address not allowed")
    endpoints = {
        "metadata": {"name": "liar"},
        "subsets": [{"addresses": [{"ip": "169.254.169.254"}], "ports": [{"port": 80}]}],
    }
    found = cluster.ask("POST", "/api/v1/namespaces/default/endpoints", "admin", endpoints)
    assert found.status == 422


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "https://user:secret@x/",
        "https://x/?a=b",
        "https://x/#a",
        "file:///etc/passwd",
        "https:///x",
    ],
)
def test_webhooks_go_by_https_and_to_a_host(cluster: Outside, url: str) -> None:
    webhook = {
        "name": "a.b.c", "clientConfig": {"url": url}, "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }  # fmt: skip
    made = {"metadata": {"name": "bad"}, "webhooks": [webhook]}
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    assert cluster.ask("POST", path, "admin", made).status == 422
