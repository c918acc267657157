"""`--image-scripts`: a file's mistakes are told before anything starts."""

from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cluster.cli import flagcheck
from cluster.cli.commands.up import up
from cluster.cli.components.kubelet import kubelet
from cluster.cli.components.runtime import runtime

COMMANDS = (
    (up, ()),
    (kubelet, ("--server=localhost:1", "--hollow=1")),
    (runtime, ("--listen=unix:/nowhere/x",)),
)
WRONG = (
    (b"images: [{image: x, cpu: fast}]", "images[0].cpu: "),
    (b"images: 1", "it has to be a mapping with the one key"),
    (b"\xff\xfe\x00", "images.yaml is not a text in UTF-8"),
)


def _run(command: click.Command, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, words)
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(("command", "words"), COMMANDS, ids=("up", "kubelet", "runtime"))
@pytest.mark.parametrize(("text", "why"), WRONG)
def test_a_file_that_is_wrong_is_a_usage_error(
    command: click.Command, words: Sequence[str], text: bytes, why: str, tmp_path: Path
) -> None:
    file = tmp_path / "images.yaml"
    file.write_bytes(text)
    code, said = _run(command, *words, f"--image-scripts={file}")
    assert code == 2
    assert why in said
    complaints = list(flagcheck.complaints("runtime", "image-scripts", str(file)))
    assert len(complaints) == 1
    assert why in complaints[0]


@pytest.mark.parametrize(("command", "words"), COMMANDS, ids=("up", "kubelet", "runtime"))
def test_a_file_that_is_not_there_is_a_usage_error(
    command: click.Command, words: Sequence[str], tmp_path: Path
) -> None:
    code, said = _run(command, *words, f"--image-scripts={tmp_path / 'none.yaml'}")
    assert code == 2
    assert "does not exist" in said


def test_a_kubelet_that_runs_no_containers_takes_none(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_text("images: [{image: x, cpu: 1}]")
    code, said = _run(kubelet, "--server=localhost:1", f"--image-scripts={file}")
    assert code == 2
    assert "--image-scripts is for --hollow" in said
