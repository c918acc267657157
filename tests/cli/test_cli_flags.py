"""Flags: how values are written, how they become a Config, what is said about wrong ones."""

from dataclasses import dataclass
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from cluster.cli import flags
from cluster.cli.flags import Setting


@dataclass(frozen=True)
class Config:
    grace: float = 50.0
    lead: bool = False
    names: tuple[str, ...] = ("*",)
    labels: Any = None
    count: int = 3

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count is {self.count}: it must not be negative")


SETTINGS = (
    Setting("grace", flags.DURATION, "How long.", "grace-period"),
    Setting("lead", flags.BOOLEAN, "Whether."),
    Setting("names", flags.LIST, "Which."),
    Setting("labels", flags.PAIRS, "Labels."),
    Setting("count", flags.NUMBER, "How many."),
)


@click.command()
@flags.settings(Config, *SETTINGS)
def command(**values: Any) -> None:
    click.echo(repr(flags.built(Config, SETTINGS, values)))


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(command, arguments)


def config(*arguments: str, **environment: str) -> str:
    result = run(*arguments, **environment)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def test_what_is_not_given_is_the_configs_own_default() -> None:
    assert config() == repr(Config())


@pytest.mark.parametrize(
    ("argument", "made"),
    [
        ("--grace-period=40s", Config(grace=40.0)),
        ("--grace-period=5m0s", Config(grace=300.0)),
        ("--grace-period=250ms", Config(grace=0.25)),
        ("--lead", Config(lead=True)),
        ("--lead=true", Config(lead=True)),
        ("--lead=false", Config(lead=False)),
        ("--names=a,b", Config(names=("a", "b"))),
        ("--labels=a=b,c=", Config(labels={"a": "b", "c": ""})),
    ],
)
def test_values_are_written_as_kubernetes_takes_them(argument: str, made: Config) -> None:
    assert config(argument) == repr(made)


def test_the_environment_is_read_and_a_flag_wins() -> None:
    assert config(KUBEMU_GRACE_PERIOD="7s") == repr(Config(grace=7.0))
    assert config("--grace-period=8s", KUBEMU_GRACE_PERIOD="7s") == repr(Config(grace=8.0))


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--grace-period=soon", "'soon' is no duration"),
        ("--lead=maybe", "'maybe' is neither true nor false"),
        ("--labels=a", "'a' is not of the form key=value"),
        ("--count=-1", "count is -1: it must not be negative"),
        ("--cuont=1", "No such option"),
    ],
)
def test_a_wrong_value_is_a_usage_error_in_one_sentence(argument: str, said: str) -> None:
    result = run(argument)
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_help_shows_the_configs_defaults_and_the_variables() -> None:
    said = " ".join(run("--help").output.split())
    assert (
        "--grace-period DURATION How long. [env var: KUBEMU_GRACE_PERIOD; default: (50s)]" in said
    )
    assert "default: (*)" in said
