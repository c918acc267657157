"""`kubemu kubelet --config`: a file's mistakes are told before anything starts."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from cluster.cli import flagcheck, kubeletconfig, rotationflags

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"


@click.command()
@kubeletconfig.OPTIONS
@click.option("--address", default="0.0.0.0")
@rotationflags.options
@click.option("--eviction-hard", type=kubeletconfig.THRESHOLDS, default=None)
@click.pass_context
def command(context: click.Context, **values: Any) -> None:
    filed = kubeletconfig.fields(values, context)
    click.echo(repr((sorted(filed.items()), sorted(values.items(), key=str))))


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, arguments)
    return result.exit_code, result.output


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "kubelet.yaml"
    path.write_text(HEAD + "address: 10.0.0.1\nmaxPods: 5\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-more.conf").write_text(HEAD + "maxPods: 6\n")
    (tmp_path / "conf.d" / "ignored.yaml").write_text("[")
    code, text = run("--config", str(path), "--config-dir", str(tmp_path / "conf.d"))
    assert code == 0
    assert "('max_pods', 6)" in text
    assert "('address', '10.0.0.1')" in text
    code, text = run("--config", str(path), "--address", "127.0.0.1")
    assert "('address', '127.0.0.1')" in text


@pytest.mark.parametrize(
    ("text", "arguments", "client", "server"),
    [
        ("", (), False, False),
        ("rotateCertificates: true\n", (), True, False),
        ("serverTLSBootstrap: true\n", (), False, True),
        ("rotateCertificates: false\n", ("--rotate-certificates",), True, False),
        ("rotateCertificates: true\n", ("--rotate-certificates=false",), False, False),
        ("serverTLSBootstrap: true\n", ("--rotate-server-certificates=false",), False, False),
        ("serverTLSBootstrap: false\n", ("--rotate-server-certificates",), False, True),
    ],
)
def test_rotation_is_the_file_s_or_the_flag_s(
    tmp_path: Path, text: str, arguments: tuple[str, ...], client: bool, server: bool
) -> None:
    path = tmp_path / "kubelet.yaml"
    path.write_text(HEAD + text)
    code, output = run("--config", str(path), *arguments)
    assert (code, "no effect" in output) == (0, False)
    assert f"('rotate_certificates', {client})" in output
    assert f"('rotate_server_certificates', {server})" in output


def test_thresholds_are_read_as_statements() -> None:
    assert "{'memory.available': '1Gi'}" in run("--eviction-hard", "memory.available<1Gi")[1]
    code, text = run("--eviction-hard", "memory.available=1Gi")
    assert code == 2
    assert "is not of the form signal<value" in text


@pytest.mark.parametrize("text", [HEAD + "maxPod: 1", "kind: Pod", "["])
def test_a_bad_file_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubelet.yaml"
    path.write_text(text)
    code, output = run("--config", str(path))
    assert code == 2
    assert "failed to load kubelet config" in output
    assert list(flagcheck.complaints("kubelet", "config", str(path)))
