"""`kubemu get`: how an object is named, and what is said where there is none."""

from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from cluster.cli import restreads
from cluster.cli.commands.get import get

KINDS = [
    ("pods", "pod", "po", "Namespaced"),
    ("nodes", "node", "no", "Cluster"),
]


class Server:
    """Knows pods and nodes, and has the pod v3 alone."""

    def get(self, path, _accept=""):
        if path in ("/api", "/apis"):
            return {"items": [GROUP] if path == "/api" else []}
        if "metadata.name%3Dv3" not in path:
            return {"columnDefinitions": [{"name": "Name"}], "rows": []}
        row = {"cells": ["v3"], "object": {"metadata": {"namespace": "default"}}}
        return {"columnDefinitions": [{"name": "Name"}], "rows": [row]}


GROUP = {
    "versions": [
        {
            "version": "v1",
            "resources": [
                {
                    "resource": plural, "singularResource": singular, "shortNames": [short],
                    "scope": scope, "verbs": ["list"],
                }
                for plural, singular, short, scope in KINDS
            ],
        }
    ]
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
        (("pods",), "No resources found in default namespace.\n"),
        (("pods", "-n", "shop"), "No resources found in shop namespace.\n"),
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


@pytest.mark.parametrize("arguments", [("po/v3", "v3"), ("po/",)])
def test_an_object_is_named_once(kubemu, arguments):
    found = kubemu(*arguments)
    assert found.exit_code == 2
    assert "say TYPE NAME or TYPE/NAME." in found.stderr
