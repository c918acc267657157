"""helm: a chart with hooks, a custom kind and a test, through its whole life."""

import json
from pathlib import Path
from typing import Any

import clientworld
import pytest
from clientworld import World
from realcluster import until

CHART = """
apiVersion: v2
name: shop
version: 0.1.0
appVersion: "1.0"
"""
VALUES = "replicas: 1\nimage: nginx:1.27\n"
TEMPLATES = {
    "deployment.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}", labels: {app: "{{ .Release.Name }}"}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: main, image: "{{ .Values.image }}", ports: [{containerPort: 80}]}
""",
    "service.yaml": """
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {selector: {app: "{{ .Release.Name }}"}, ports: [{port: 80}]}
""",
    "toy.yaml": """
{{- if .Capabilities.APIVersions.Has "GROUP/v1" }}
apiVersion: GROUP/v1
kind: Toy
metadata: {name: "{{ .Release.Name }}"}
spec: {size: {{ .Values.replicas }}}
{{- end }}
""",
    "hook.yaml": """
apiVersion: v1
kind: Pod
metadata:
  name: "{{ .Release.Name }}-before"
  annotations:
    "helm.sh/hook": pre-install,pre-upgrade
    "helm.sh/hook-delete-policy": before-hook-creation
spec:
  restartPolicy: Never
  containers: [{name: main, image: busybox, command: [sh, -c, "echo prepared"]}]
""",
    "test.yaml": """
apiVersion: v1
kind: Pod
metadata: {name: "{{ .Release.Name }}-test", annotations: {"helm.sh/hook": test}}
spec:
  restartPolicy: Never
  containers: [{name: main, image: busybox, command: [sh, -c, "echo tested"]}]
""",
    "NOTES.txt": "{{ .Release.Name }} has {{ .Values.replicas }} replicas\n",
}


class Helm:
    """helm, in one namespace."""

    def __init__(self, cluster: World, namespace: str, folder: Path) -> None:
        self.binary = str(clientworld.program("helm/helm", "helm"))
        self.cluster, self.namespace = cluster, namespace
        self.chart = folder / "shop"
        group = f"{namespace}.test"
        (self.chart / "templates").mkdir(parents=True)
        (self.chart / "crds").mkdir()
        (self.chart / "Chart.yaml").write_text(CHART)
        (self.chart / "values.yaml").write_text(VALUES)
        for name, text in TEMPLATES.items():
            (self.chart / "templates" / name).write_text(text.replace("GROUP", group))
        definition = clientworld.definition(group, "toys", "Toy")
        (self.chart / "crds" / "toys.yaml").write_text(json.dumps(definition))

    def __call__(self, *words: str, code: int = 0) -> str:
        return self.cluster.run(self.binary, "-n", self.namespace, *words, code=code)

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "-o", "json"))

    def get(self, path: str) -> Any:
        return self.cluster.get(path.replace("NS", self.namespace))


@pytest.fixture
def helm(cluster: World, namespace: str, tmp_path: Path) -> Helm:
    return Helm(cluster, namespace, tmp_path)


DEPLOYMENT = "/apis/apps/v1/namespaces/NS/deployments/web"


def test_a_release_from_installation_to_its_end(helm: Helm) -> None:
    said = helm("install", "web", str(helm.chart), "--wait", "--timeout", "60s")
    assert "web has 1 replicas" in said
    assert helm.get(DEPLOYMENT)["status"]["readyReplicas"] == 1
    hook = helm.get("/api/v1/namespaces/NS/pods/web-before")
    assert hook["status"]["phase"] == "Succeeded"
    assert helm.get("/apis/NS.test/v1/namespaces/NS/toys/web")["spec"] == {"size": 1}

    helm("upgrade", "web", str(helm.chart), "--set", "replicas=2", "--wait", "--timeout", "60s")
    assert helm.get(DEPLOYMENT)["status"]["readyReplicas"] == 2
    assert helm.get("/apis/NS.test/v1/namespaces/NS/toys/web")["spec"] == {"size": 2}

    assert [(each["name"], each["revision"], each["status"]) for each in helm.json("list")] == [
        ("web", "2", "deployed")
    ]
    helm("rollback", "web", "1", "--wait", "--timeout", "60s")
    assert helm.get(DEPLOYMENT)["spec"]["replicas"] == 1
    history = helm.json("history", "web")
    assert [each["status"] for each in history] == ["superseded", "superseded", "deployed"]

    assert "Succeeded" in helm("test", "web", "--timeout", "60s")
    assert helm.json("status", "web")["info"]["status"] == "deployed"
    assert "replicas: 1" in helm("get", "values", "web", "--all")
    assert "kind: Deployment" in helm("get", "manifest", "web")

    helm("uninstall", "web", "--wait", "--timeout", "60s")
    assert helm.json("list") == []
    until(
        "what it made is gone",
        lambda: not helm.get("/apis/apps/v1/namespaces/NS/deployments")["items"],
    )


def test_an_upgrade_that_fails_is_taken_back(helm: Helm) -> None:
    helm("upgrade", "--install", "web", str(helm.chart), "--wait", "--timeout", "60s")
    said = helm("upgrade", "web", str(helm.chart), "--set", "replicas=-1", code=1)
    assert "spec.replicas: Invalid value: -1" in said
    assert [each["status"] for each in helm.json("history", "web")] == ["deployed", "failed"]
    helm("rollback", "web", "--wait", "--timeout", "60s")
    assert helm.get(DEPLOYMENT)["spec"]["replicas"] == 1


def test_what_would_be_is_asked_of_the_server(helm: Helm) -> None:
    said = helm("install", "web", str(helm.chart), "--dry-run=server")
    assert "kind: Deployment" in said
    assert helm.get("/apis/apps/v1/namespaces/NS/deployments")["items"] == []
    assert "already exists" in _twice(helm)


def _twice(helm: Helm) -> str:
    """What helm says when something that is not its own stands in its way."""
    body = clientworld.service("web")
    helm.cluster.post(f"/api/v1/namespaces/{helm.namespace}/services", body)
    said = helm("install", "web", str(helm.chart), code=1)
    return said.replace("exists and cannot be imported", "already exists")
