"""Flags: their types, their environment variables, and how they become a component's Config.

A flag `--node-name` is also read from `KUBEMU_NODE_NAME`. Durations are written as Go writes them
(`40s`, `5m0s`), booleans as Kubernetes takes them (`--leader-elect` or `--leader-elect=false`).
"""

import dataclasses
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from cluster.api import durations

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]  # generic only in newer releases
else:
    ParamType = click.ParamType

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C")


def together(options: Sequence[Callable[[Any], Any]]) -> Callable[[F], F]:
    """A decorator that gives a command all of `options`, in this order."""

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


_TRUE: Final = ("true", "t", "1")
_FALSE: Final = ("false", "f", "0")


class _Duration(ParamType):
    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return float(value)
        try:
            return durations.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Boolean(ParamType):
    name = "boolean"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        text = str(value).lower()
        if text not in _TRUE + _FALSE:
            self.fail(f"{value!r} is neither true nor false", param, ctx)
        return text in _TRUE


class _Pairs(ParamType):
    """`key=value,key=value`, as --node-labels has it."""

    name = "key=value,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, str]:
        if isinstance(value, Mapping):
            return dict(value)
        found: dict[str, str] = {}
        for item in filter(None, value.split(",")):
            key, equals, rest = item.partition("=")
            if not key or not equals:
                self.fail(f"{item!r} is not of the form key=value", param, ctx)
            found[key] = rest
        return found


class _List(ParamType):
    name = "a,b,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple | list):
            return tuple(value)
        return tuple(filter(None, (item.strip() for item in value.split(","))))


DURATION: Final = _Duration()
BOOLEAN: Final = _Boolean()
PAIRS: Final = _Pairs()
LIST: Final = _List()
TEXT: Final = click.STRING
NUMBER: Final = click.INT
REAL: Final = click.FLOAT


def option(name: str, help: str, type: ParamType = TEXT, **more: Any) -> Callable[[F], F]:
    """A flag with its environment variable, and its `aliases`. A boolean may go without value."""
    if type is BOOLEAN:
        more |= {"is_flag": False, "flag_value": "true"}
    names = [name, *more.pop("aliases", ())]
    variables = [variable(each) for each in names]
    return click.option(
        *(f"--{each}" for each in names), type=type, help=help, envvar=variables,
        show_envvar=True, **more,
    )  # fmt: skip


def host_name(name: str, help: str, *aliases: str) -> Callable[[F], F]:
    """A flag that is this machine's name unless it is given."""
    return option(
        name, help, aliases=aliases, default=socket.gethostname, show_default="this host's name"
    )


def _own_name() -> str:
    """What a supervisor calls this process, so that people and chaos know who leads; or the host's
    name, which in a container is the service's.
    """
    return os.environ.get("KUBEMU_PROCESS") or socket.gethostname()


def identity(function: F) -> F:
    """`--identity`: two candidates of one host are not to be taken for each other."""
    return option(
        "identity",
        "Name of this process in leader election.",
        default=lambda: f"{_own_name()}_{os.urandom(4).hex()}",
        show_default="this process' or host's name and something random",
    )(function)


def variable(name: str) -> str:
    """The environment variable of a flag."""
    return f"KUBEMU_{name.upper().replace('-', '_')}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A flag that sets a field of a Config; its default is the field's."""

    field: str
    type: ParamType
    help: str
    name: str = ""

    @property
    def flag(self) -> str:
        """The flag's name without dashes in front."""
        return self.name or self.field.replace("_", "-")


def settings(config: type, *wanted: Setting) -> Callable[[F], F]:
    """Flags for fields of a Config. What is not given stays out of the command's arguments."""
    defaults = {field.name: _default(field) for field in dataclasses.fields(config)}

    def decorate(function: F) -> F:
        for setting in reversed(wanted):
            default = defaults[setting.field]
            function = option(
                setting.flag, setting.help, setting.type, default=None,
                show_default=_shown(default, setting.type),
            )(function)  # fmt: skip
        return function

    return decorate


def built(config: Callable[..., C], wanted: tuple[Setting, ...], values: dict[str, Any]) -> C:
    """The Config of the values given, which are taken out of `values`. click.UsageError."""
    given = {}
    for setting in wanted:
        value = values.pop(setting.flag.replace("-", "_"), None)
        if value is not None:
            given[setting.field] = value
    return checked(config, **given)


def checked(config: Callable[..., C], **fields: Any) -> C:
    """A Config, whose ValueError becomes a usage error."""
    try:
        return config(**fields)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None


def _shown(default: Any, type: ParamType) -> str | bool:
    if default in (None, "", (), {}):
        return False
    if isinstance(default, Mapping):
        sign = getattr(type, "operator", "=")
        return ",".join(f"{key}{sign}{value}" for key, value in default.items())
    if type is DURATION:
        return durations.format(default)
    if type is BOOLEAN:
        return str(default).lower()
    return ",".join(default) if isinstance(default, tuple) else str(default)
