"""Secrets are planted everywhere, and everything that the cluster wrote is searched for them."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from realcluster import until
from securityworld import KEY, Outside

SECRET = "canary-in-a-secret-7f3a"
PATCHED = "canary-in-a-patch-9c1e"
BROKEN = "canary-in-a-broken-body-44d2"
HEADER = "canary-in-a-header-61b8"
BASIC = "canary-in-a-password-03aa"
URL = "canary-in-a-query-88e0"
MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
POD = f"""
apiVersion: v1
kind: Secret
metadata: {{name: planted}}
stringData: {{password: {SECRET}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: pull}}
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{{"auths":{{"localhost:1":{{"username":"u","password":"{SECRET}"}}}}}}'
---
apiVersion: v1
kind: Pod
metadata: {{name: planted}}
spec:
  imagePullSecrets: [{{name: pull}}]
  containers:
  - name: c
    image: busybox
    command: [sh, -c, "sleep 3600"]
    env: [{{name: P, valueFrom: {{secretKeyRef: {{name: planted, key: password}}}}}}]
    volumeMounts: [{{name: s, mountPath: /s}}]
    livenessProbe: {{exec: {{command: [sh, -c, "exit 1"]}}, periodSeconds: 1}}
  volumes: [{{name: s, secret: {{secretName: planted}}}}]
"""


@pytest.fixture(scope="module")
def planted(outside: Outside) -> dict[str, bytes]:
    """The cluster has met all of these; what must be found nowhere, by name."""
    outside.apply(POD)
    outside.running("planted")
    token = outside.cluster.kubectl("create", "token", "default").strip()
    assert outside.ask("GET", "/api", token=token).status == 200
    merge = "application/merge-patch+json"
    body = {"stringData": {"password": PATCHED}}
    assert outside.ask("PATCH", f"{SECRETS}/planted", "admin", body, media=merge).status == 200
    for broken in (f'{{"data":{{"k":"{BROKEN}"', f'{{"stringData":{{"k":["{BROKEN}"]}}}}'):
        assert outside.ask("POST", SECRETS, "admin", broken.encode()).status >= 400
    outside.ask("GET", "/api", token=HEADER)
    outside.ask("GET", "/api", Authorization=f"Basic {base64.b64encode(BASIC.encode()).decode()}")
    outside.ask("GET", "/api", Cookie=HEADER, X_Remote_User=HEADER)
    outside.raw(f"GET /api HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer {HEADER}\r\n\r\n".encode())
    outside.ask("GET", f"/api/v1/namespaces/default/pods/planted/exec?command={URL}&x", "admin")
    outside.cluster.kubectl("exec", "planted", "--", "cat", "/s/password")
    until("a killed container", lambda: "Unhealthy" in outside.cluster.kubectl("get", "events"))
    outside.cluster.kubemu("kill", "apiserver")
    outside.cluster.kubemu("kill", "kubelet-node-1")
    until("the server again", lambda: _ready(outside))
    home = outside.cluster.folder
    keys = [path.read_text().split()[4] for path in home.pki.glob("*.key")]
    return {
        "the secret": SECRET.encode(), "the patch": PATCHED.encode(),
        "the secret, encoded": base64.b64encode(SECRET.encode()),
        "the patch, encoded": base64.b64encode(PATCHED.encode()),
        "the broken body": BROKEN.encode(), "a wrong token": HEADER.encode(),
        "a password": BASIC.encode(), "a password, encoded": base64.b64encode(BASIC.encode()),
        "a token": token.encode(), "a token's signature": token.rpartition(".")[2].encode(),
        "the encryption key": KEY, "the encryption key, encoded": base64.b64encode(KEY),
        **{f"private key {n}": key.encode() for n, key in enumerate(keys)},
    }  # fmt: skip


def _ready(outside: Outside) -> bool:
    try:
        return outside.ask("GET", "/readyz").status == 200
    except OSError:
        return False


def _found(content: bytes, planted: dict[str, bytes]) -> list[str]:
    return [name for name, canary in planted.items() if canary in content]


def _written(outside: Outside) -> Iterator[Path]:
    """Files that the cluster writes for people, or keeps where Kubernetes would keep no secret."""
    home = outside.cluster.folder
    yield from home.logs.iterdir()
    yield from (path for path in home.data.iterdir() if path.is_file())
    yield from (home.plan, home.path / "processes.json", outside.folder / "audit.log")


def test_no_file_that_a_cluster_writes_has_a_secret(
    outside: Outside, planted: dict[str, bytes]
) -> None:
    files = [path for path in _written(outside) if path.is_file()]
    assert {"apiserver.log", "kubelet-node-1.log", "store.db", "audit.log", "plan.json"} <= {
        path.name for path in files
    }
    told = {path.name: _found(path.read_bytes(), planted) for path in files}
    assert {name: found for name, found in told.items() if found} == {}


def test_the_audit_log_has_no_bodies_of_secrets_even_where_it_is_told_bodies(
    outside: Outside, planted: dict[str, bytes]
) -> None:
    events = [each for each in outside.audited() if each["requestURI"].startswith(SECRETS)]
    assert events
    assert all("requestObject" not in each and "responseObject" not in each for each in events)
    assert not _found(json.dumps(outside.audited()).encode(), planted)


def test_nothing_that_is_shown_has_one(outside: Outside, planted: dict[str, bytes]) -> None:
    cluster = outside.cluster
    shown = {
        "metrics": outside.ask("GET", "/metrics", "admin").body,
        "events": cluster.kubectl("get", "events", "-A", "-o", "yaml").encode(),
        "nodes": cluster.kubectl("get", "nodes", "-o", "yaml").encode(),
        "described pod": cluster.kubectl("describe", "pod", "planted").encode(),
        "described secret": cluster.kubectl("describe", "secret", "planted").encode(),
        "ps": cluster.kubemu("ps").encode(),
        "status": subprocess.run(
            ["kubectl", "get", "--raw", "/api/v1/nodes/node-1/proxy/metrics"],
            env=cluster.environment, capture_output=True, check=False,
        ).stdout,
    }  # fmt: skip
    for process in ("apiserver", "kubelet-node-1", "kubelet-node-2", "controller-manager"):
        shown[f"logs of {process}"] = cluster.kubemu("logs", process).encode()
    told = {name: _found(content, planted) for name, content in shown.items()}
    assert {name: found for name, found in told.items() if found} == {}


def test_no_process_has_one_in_its_arguments_or_its_environment(
    outside: Outside, planted: dict[str, bytes]
) -> None:
    home = str(outside.cluster.folder.path)
    seen = 0
    for process in psutil.process_iter():
        try:
            said = "\0".join(process.cmdline())
            if home not in said:
                continue
            seen += 1
            everything = said + json.dumps(process.environ())
        except psutil.Error:
            continue
        assert not _found(everything.encode(), planted)
    assert seen > 5


def test_at_rest_the_secret_is_there_and_cannot_be_read(
    outside: Outside, planted: dict[str, bytes]
) -> None:
    stored = b"".join(
        path.read_bytes() for path in outside.cluster.folder.data.iterdir() if path.is_file()
    )
    assert b"k8s:enc:aesgcm:v1:key1:" in stored
    assert not _found(stored, planted)
    assert outside.cluster.get("secret", "planted")["data"]["password"] == (
        base64.b64encode(PATCHED.encode()).decode()
    )
