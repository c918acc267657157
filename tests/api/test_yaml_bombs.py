"""YAML that nobody means, at the doors of files: told in a sentence, and no process dies of it."""

import io

import click
import pytest

from cluster.api import marked_yaml, yaml_text
from cluster.cli import admissionflags, protectionflags, simulating
from cluster.cli.commands import apply
from cluster.launcher import kubeconfig

DEEP = "[" * 100_000
NESTED = "".join(f"{' ' * depth}a:\n" for depth in range(500))
BOMBS = {"deep": DEEP, "nested": NESTED}
LAUGHING = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_cluster_file_is_told_of(bomb):
    with pytest.raises(marked_yaml.InvalidFile, match="levels deep"):
        marked_yaml.read(BOMBS[bomb], "cluster.yaml", [])


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_kubeconfig_is_told_of(bomb, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(BOMBS[bomb])
    with pytest.raises(kubeconfig.Unreadable, match="levels deep"):
        kubeconfig.read(path)


@pytest.mark.parametrize("bomb", BOMBS)
def test_manifests_are_told_of(bomb):
    file = io.BytesIO(BOMBS[bomb].encode())
    file.name = "pods.yaml"
    with pytest.raises(apply.NotApplied, match="levels deep"):
        apply._documents(file)
    with pytest.raises(simulating.Unusable, match="levels deep"):
        simulating.manifest("pods.yaml", BOMBS[bomb], "default", strict=False)


def test_configuration_is_told_of():
    for bomb in (DEEP, NESTED, LAUGHING, "a: 1\na: 2\n"):
        with pytest.raises(yaml_text.Unreadable):
            yaml_text.read(bomb)


def test_manifests_are_read_as_kubernetes_reads_them():
    text = "a: 2026-01-02T03:04:05Z\na: 2026-01-02\n---\n---\nb: &one [1]\nc: *one\n"
    assert yaml_text.documents(text) == [{"a": "2026-01-02"}, None, {"b": [1], "c": [1]}]


@pytest.mark.parametrize("bomb", [DEEP, NESTED, LAUGHING])
@pytest.mark.parametrize(
    ("module", "given"),
    [
        (admissionflags, ["--admission-control-config-file"]),
        (protectionflags, ["--audit-log-path=-", "--audit-policy-file"]),
    ],
)
def test_files_of_the_servers_flags_are_told_of(module, given, bomb, tmp_path):
    command = click.command()(module.options(lambda **values: module.from_flags(values)))
    path = tmp_path / "file.yaml"
    path.write_text(bomb)
    with pytest.raises(click.UsageError, match=f"{given[-1]} .*(levels deep|aliasing)"):
        command.main([*given, str(path)], standalone_mode=False)
