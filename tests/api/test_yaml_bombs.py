"""YAML that nobody means, at the doors of files: told in a sentence, and no process dies of it."""

import io

import pytest

from cluster.api import marked_yaml, yaml_text
from cluster.cli import simulating
from cluster.cli.commands import apply
from cluster.launcher import kubeconfig

DEEP = "[" * 100_000
NESTED = "".join(f"{' ' * depth}a:\n" for depth in range(500))
BOMBS = {"deep": DEEP, "nested": NESTED}


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
    laughing = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    for bomb in (DEEP, NESTED, laughing, "a: 1\na: 2\n"):
        with pytest.raises(yaml_text.Unreadable):
            yaml_text.read(bomb)
