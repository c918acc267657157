"""The command line: quick, complete, and clear about what is wrong."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cluster.cli import app, clusters

COMPONENTS = ("apiserver", "scheduler", "controller-manager", "kubelet", "runtime", "kube-proxy")


def kubemu(*arguments: str, home: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    environment |= {"KUBEMU_HOME": str(home), **more}
    return subprocess.run(
        [sys.executable, "-m", "cluster.cli", *arguments],
        capture_output=True, text=True, timeout=60, check=False, env=environment,
    )  # fmt: skip


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from cluster.cli import __main__\n"
        "try: __main__.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('grpc', 'aiohttp', 'numpy', 'cryptography', 'yaml', 'rich',"
        " 'structlog', 'msgspec') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command(tmp_path: Path) -> None:
    said = kubemu("--help", home=tmp_path).stdout
    assert [name for name in app.COMMANDS if f"\n  {name} " not in said] == []


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_help(name: str) -> None:
    command = app.COMMANDS[name].load()
    assert command.name == name
    assert command.help
    silent = [
        parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


def _under(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from _under(found)


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_about_a_cluster_takes_its_name_from_the_environment(name: str) -> None:
    deaf = [
        f"{command.name} {parameter.opts}"
        for command in _under(app.COMMANDS[name].load())
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.type is clusters.NAME
        if "KUBEMU_NAME" not in (parameter.envvar or ())
    ]
    assert deaf == []


@pytest.mark.parametrize("name", COMPONENTS)
def test_help_shows_no_python(name: str) -> None:
    command = app.COMMANDS[name].load()
    assert re.findall(r"default: \(?<[^>]*>", command.get_help(click.Context(command))) == []


@pytest.mark.parametrize("name", COMPONENTS)
def test_flags_of_components_can_come_from_the_environment(name: str) -> None:
    command = app.COMMANDS[name].load()
    without = [
        parameter.name
        for parameter in command.params
        if not any(variable.startswith("KUBEMU_") for variable in parameter.envvar or ())
    ]
    assert without == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("kublet",), "There is no command 'kublet'. Did you mean kubelet?"),
        (("up", "--nodes", "many"), "'many' is not a valid integer"),
        (("up", "--nodes", "0"), "A cluster needs a node"),
        (("up", "--wiat"), "No such option"),
        (("up", "-f", "/nothing.yaml"), "/nothing.yaml cannot be read (No such file"),
        (("up", "--kubernetes-version", "1.99"), "'1.99' is not one of '1.25'"),
        (("up", "--name", "../other"), "'../other': a lowercase RFC 1123 label must"),
        (("down", "--name", ".."), "'..': a lowercase RFC 1123 label must"),
        (("down", "--name", ""), "'': a lowercase RFC 1123 label must"),
        (("status", "--name", "Upper"), "'Upper': a lowercase RFC 1123 label must"),
        (("scheduler",), "Nothing says where the API server is: give --kubeconfig or --server."),
        (("apiserver",), "needs --tls-cert-file and --tls-private-key-file"),
        (("apiserver", "--storage-backend=paper"), "'paper' is not one of"),
        (
            ("apiserver", "--default-not-ready-toleration-seconds=3m"),
            "'3m' is not a valid integer",
        ),
        (("runtime",), "A runtime needs --listen"),
        (("kubelet", "--server=a:1", "--register-with-taints=x"), "'x' is no taint: write key"),
        (("kubelet", "--server=a:1", "--memory=lots"), "memory is 'lots': quantities must match"),
        (("controller-manager", "--server=a:1", "--cluster-cidr=x"), "cluster_cidr: "),
        (("kill", "x", "--signal", "NOISE"), "'NOISE' is no signal"),
    ],
)
def test_a_wrong_call_is_told_in_one_sentence_with_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = kubemu(*arguments, home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ps",), "no cluster named kubemu is running; start it with: kubemu up\n"),
        (
            ("stop", "x", "--name", "y"),
            "no cluster named y is running; start it with: kubemu up --",
        ),
        (("kubeconfig",), "no cluster named kubemu is running"),
        (("logs", "apiserver"), "no cluster named kubemu is running"),
        (("apply", "-f", "-"), "no cluster named kubemu is running"),
    ],
)
def test_without_a_cluster_commands_say_how_to_start_one(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = kubemu(*arguments, home=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_cluster_file_with_errors_names_lines_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(
        "apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\nnodes:\n- count: x\n  mem: 4Gi\n"
        "flags:\n  scheduler: {permit-timeout: soon}\n  kubelet: {max-podz: 3}\n"
        "  apiserver: {--etcd-compaction-interval: 10m, storage-backend: memory}\n"
    )
    done = kubemu("up", "-f", str(path), home=tmp_path / "home")
    assert done.returncode == 1
    first, second, third, fourth = done.stderr.removeprefix("Error: ").splitlines()
    assert first.startswith(f"{path}:4: nodes[0].count: must be a whole number")
    assert second.startswith(f"{path}:5: nodes[0].mem: unknown field; did you mean memory?")
    assert third.startswith(f"{path}:7: flags.scheduler.permit-timeout: 'soon' is no duration")
    assert fourth == (
        f"{path}:8: flags.kubelet.max-podz: kubelet has no such flag; did you mean max-pods?"
    )
    assert not (tmp_path / "home").exists()


def test_an_unwritable_home_is_told_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = kubemu("up", home=tmp_path / "file")
    assert done.returncode == 1
    assert "cannot be written (Not a directory); set KUBEMU_HOME to a folder" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_ends_a_component_with_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = kubemu("runtime", f"--listen={address}", home=tmp_path)
    assert done.returncode == 1
    last = json.loads([line for line in done.stderr.splitlines() if line.startswith("{")][-1])
    assert last["level"] == "critical"
    assert last["event"].startswith(f"cannot listen on {address}")
    assert "Traceback" not in done.stderr


def test_status_and_down_without_any_cluster_are_no_errors(tmp_path: Path) -> None:
    done = kubemu("status", home=tmp_path)
    assert (done.returncode, done.stdout) == (0, "there is no cluster; start one with: kubemu up\n")
    done = kubemu("down", home=tmp_path)
    assert (done.returncode, done.stdout) == (0, "there is no cluster named kubemu\n")


def with_those_under_it(command: click.Command) -> list[click.Command]:
    if not isinstance(command, click.Group):
        return [command]
    context = click.Context(command)
    names = command.list_commands(context)
    under = [command.get_command(context, name) for name in names]
    return [command, *(each for one in under if one for each in with_those_under_it(one))]


@pytest.mark.parametrize("name", app.COMMANDS)
def test_the_page_of_a_command_shows_the_flags_that_it_has(name: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "commands" / f"{name}.md"
    shown = set(re.findall(r"^ +(?:-\w, )?(--[a-z0-9-]+)", page.read_text(), re.MULTILINE))
    has = {
        parameter.opts[-1]
        if len(parameter.opts) < 2
        else next(each for each in parameter.opts if each.startswith("--"))
        for command in with_those_under_it(app.COMMANDS[name].load())
        for parameter in command.params
        if isinstance(parameter, click.Option)
    }
    assert shown - {"--help"} == has, "run scripts/gen-command-docs"


def test_down_leaves_a_folder_alone_that_is_no_cluster(tmp_path: Path) -> None:
    (tmp_path / "projects" / "data").mkdir(parents=True)
    done = kubemu("down", "--name", "projects", home=tmp_path)
    assert (done.returncode, done.stdout) == (0, "there is no cluster named projects\n")
    assert (tmp_path / "projects" / "data").is_dir()


@pytest.mark.parametrize("command", [("check-expiration",), ("renew", "all")])
def test_certificates_of_no_cluster_are_not_shown(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = kubemu("certs", *command, "--name", "nosuch", home=tmp_path)
    assert done.returncode == 1
    assert "no cluster named nosuch (there is none: start one with kubemu up)" in done.stderr
