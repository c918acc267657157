"""`kubemu get`: how an object is named, and what is said where there is none."""

import json
from contextlib import contextmanager

import pytest
import yaml
from click.testing import CliRunner

from cluster.cli import restreads
from cluster.cli.commands.get import get

CORE = [
    ("pods", "pod", "po", "Namespaced", ["all"]),
    ("nodes", "node", "no", "Cluster", []),
]
APPS = [("deployments", "deployment", "deploy", "Namespaced", ["all"])]


class Server:
    """Knows pods, nodes and Deployments, and has the pod v3 and the Deployment web alone."""

    def get(self, path, accept=""):
        if path in ("/api", "/apis"):
            return {"items": [group("", CORE) if path == "/api" else group("apps", APPS)]}
        place, _, query = path.partition("?")
        kind, name = ("Pod", "v3") if place.endswith("pods") else ("Deployment", "web")
        there = "nodes" not in place and ("metadata.name" not in query or f"%3D{name}" in query)
        names = [name] if there and "labelSelector" not in query and "shop" not in place else []
        metadata = {
            "name": name, "managedFields": [{"manager": "kubectl"}], "namespace": "default",
        }  # fmt: skip
        if "as=Table" in accept:
            rows = [{"cells": [each], "object": {"metadata": metadata}} for each in names]
            return {"columnDefinitions": [{"name": "Name"}], "rows": rows}
        items = [{"metadata": metadata} for _ in names]
        return {"apiVersion": "v1", "kind": f"{kind}List", "items": items}


def group(name, kinds):
    return {
        "metadata": {"name": name},
        "versions": [
            {
                "version": "v1",
                "resources": [
                    {
                        "resource": plural, "singularResource": singular, "shortNames": [short],
                        "scope": scope, "verbs": ["list"], "categories": categories,
                    }
                    for plural, singular, short, scope, categories in kinds
                ],
            }
        ],
    }  # fmt: skip


@pytest.fixture
def kubemu(monkeypatch, tmp_path):
    @contextmanager
    def connected(_path):
        yield Server()

    monkeypatch.setattr(restreads, "connected", connected)
    (tmp_path / "config").write_text("")
    at = f"--kubeconfig={tmp_path / 'config'}"
    return lambda *arguments: CliRunner().invoke(get, [*arguments, at])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pods", "-l", "app=web"), "No resources found in default namespace.\n"),
        (("pods", "-n", "shop"), "No resources found in shop namespace.\n"),
        (("deploy,pods", "-n", "shop"), "No resources found in shop namespace.\n"),
        (("pods,nodes", "-n", "shop"), "No resources found\n"),
        (("pods", "-A", "-l", "app=web"), "No resources found\n"),
        (("nodes",), "No resources found\n"),
    ],
)
def test_nothing_is_told_as_kubectl_tells_it(kubemu, arguments, said):
    found = kubemu(*arguments)
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", said)


@pytest.mark.parametrize("arguments", [("po", "v3"), ("po/v3",), ("pods/v3",)])
def test_an_object_is_named_in_either_way(kubemu, arguments):
    found = kubemu(*arguments)
    assert (found.exit_code, found.stdout.split()) == (0, ["NAME", "v3"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("po/v3", "v3"), "say TYPE NAME… or TYPE/NAME…, not both."),
        (("po", "po/v3"), "say TYPE NAME… or TYPE/NAME…, not both."),
        (("po/",), '"po/" is not TYPE/NAME.'),
        (("po,deploy/v3",), '"po,deploy/v3" is not TYPE/NAME.'),
        (("po/v3/x",), '"v3/x" is no name: say TYPE NAME NAME, or TYPE/NAME TYPE/NAME.'),
        (("po", "v3,v4"), '"v3,v4" is no name: say TYPE NAME NAME, or TYPE/NAME TYPE/NAME.'),
        (("po", ""), "a name is empty."),
        (("po,",), '"po," lacks a type before or after a comma.'),
        (("po", "v3", "-l", "app=web"), "NAME and --selector do not go together."),
        (("po", "v3", "-A"), "NAME and --all-namespaces do not go together."),
        ((), "Missing argument"),
    ],
)
def test_what_names_nothing_is_refused(kubemu, arguments, said):
    found = kubemu(*arguments)
    assert found.exit_code == 2
    assert said in found.stderr


@pytest.mark.parametrize(
    ("arguments", "there", "missing"),
    [
        (("po", "v3", "v4"), ["NAME", "v3"], 'pods "v4" not found'),
        (("po/v3", "deploy/web"), ["NAME", "pod/v3", "NAME", "deployment.apps/web"], ""),
        (("po/v3", "po/v3"), ["NAME", "v3"], ""),
        (("po/v4", "no/a"), [], 'pods "v4" not found; nodes "a" not found'),
    ],
)
def test_several_objects_are_named(kubemu, arguments, there, missing):
    found = kubemu(*arguments)
    assert found.exit_code == (1 if missing else 0)
    assert found.stdout.split() == there
    assert str(found.exception or "") == missing


def test_objects_of_a_kind_share_a_table(kubemu, monkeypatch):
    monkeypatch.setattr(Server, "get", everything_asked_for(Server.get))
    assert kubemu("po", "v3", "v4").stdout.split() == ["NAME", "v3", "v4"]


def everything_asked_for(real):
    """Each object that is named is there."""

    def get(self, path, accept=""):
        _, by_name, name = path.partition("metadata.name%3D")
        answer = real(self, path.partition("?")[0], accept)
        for row in answer["rows"] if by_name else ():
            row["cells"] = [name]
        return answer

    return get


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_documents_are_written_as_kubectl_writes_them(kubemu, output):
    plain = kubemu("po", "v3", "-o", output).stdout
    assert "managedFields" not in plain
    assert yaml.safe_load(plain)["metadata"] == {"name": "v3", "namespace": "default"}
    whole = kubemu("po", "v3", "-o", output, "--show-managed-fields").stdout
    assert list(yaml.safe_load(whole)["metadata"]) == ["managedFields", "name", "namespace"]


@pytest.mark.parametrize("said", ["po,deploy", "pods,deployments.apps,po", "all"])
def test_several_kinds_have_a_table_each(kubemu, said):
    found = kubemu(said)
    assert (found.exit_code, found.stderr) == (0, "")
    assert found.stdout == "NAME\npod/v3\n\nNAME\ndeployment.apps/web\n"


def test_several_kinds_in_all_namespaces(kubemu):
    assert kubemu("deploy,po", "-A").stdout.split() == [
        "NAMESPACE", "NAME", "default", "deployment.apps/web",
        "NAMESPACE", "NAME", "default", "pod/v3",
    ]  # fmt: skip


def test_several_kinds_are_one_list_of_documents(kubemu):
    whole = json.loads(kubemu("po,deploy,no", "-o", "json").stdout)
    assert whole["kind"] == "List"
    assert [each["kind"] for each in whole["items"]] == ["Pod", "Deployment"]
    assert kubemu("po,deploy", "-o", "name").stdout == "pod/v3\ndeployment.apps/web\n"


def test_what_is_missing_is_told_after_what_is_there(kubemu):
    found = kubemu("po,deploy", "v3")
    assert found.exit_code == 1
    assert found.stdout.split() == ["NAME", "pod/v3"]
    assert str(found.exception) == 'deployments.apps "v3" not found'


def test_no_namespace_is_the_default_one(kubemu):
    said = kubemu("po", "-l", "app=web", "-n", "").stderr
    assert said == "No resources found in default namespace.\n"


@pytest.mark.parametrize("said", ["gadgets", "po,gadgets"])
def test_a_kind_that_is_not_served(kubemu, said):
    found = kubemu(said)
    assert str(found.exception) == 'the server doesn\'t have a resource type "gadgets"'
    assert not found.stdout
