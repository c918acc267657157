"""`kubemu up -f`: flags win over the cluster file, and the file over the environment."""

import pytest
from click.testing import CliRunner

from cluster.cli.commands import up

FILE = """
apiVersion: kubemu.dev/v1alpha1
kind: Cluster
name: kubemu
ports: {api: 7001}
kubernetesVersion: "1.34"
nodes: [{count: 2}]
"""
BARE = "apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\n"
ENVIRONMENT = {
    "KUBEMU_NAME": "other",
    "KUBEMU_PORT": "7002",
    "KUBEMU_KUBERNETES_VERSION": "1.30",
    "KUBEMU_NODES": "5",
    "KUBEMU_HOLLOW": "7",
}
OF_FILE = ("kubemu", 7001, "1.34", 2, 0)
OF_ENVIRONMENT = ("other", 7002, "1.30", 5, 7)
FLAGS = ("--name=flag", "--port=7003", "--kubernetes-version=1.31", "--nodes=1", "--hollow=1")


@pytest.mark.parametrize(
    ("text", "environment", "flags", "asked"),
    [
        (FILE, ENVIRONMENT, (), OF_FILE),
        (BARE, ENVIRONMENT, (), OF_ENVIRONMENT),
        (None, ENVIRONMENT, (), OF_ENVIRONMENT),
        (FILE, ENVIRONMENT, FLAGS, ("flag", 7003, "1.31", 1, 1)),
        (FILE, {}, FLAGS[:1], ("flag", *OF_FILE[1:])),
        (FILE, ENVIRONMENT, FLAGS[:1], ("flag", *OF_FILE[1:])),
    ],
)
def test_the_nearer_word_wins(monkeypatch, tmp_path, text, environment, flags, asked):
    begun = []
    monkeypatch.setattr(up, "_start", lambda wanted, *_: begun.append(wanted))

    async def shown(*_args, **_more):
        """It is up."""

    monkeypatch.setattr("cluster.cli.progress.show", shown)
    given = ()
    if text is not None:
        (tmp_path / "cluster.yaml").write_text(text)
        given = ("-f", str(tmp_path / "cluster.yaml"))
    runner = CliRunner(env={"KUBEMU_HOME": str(tmp_path / "home"), **environment})
    told = runner.invoke(up.up, [*given, *flags])
    assert told.exit_code == 0, told.output
    (wanted,) = begun
    hollow = sum(group.count for group in wanted.hollow)
    found = wanted.name, wanted.api_port, wanted.kubernetes_version, len(wanted.nodes), hollow
    assert found == asked
