"""Flags of agnhost's subcommands, as cobra reads them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from cluster.runtime.emulated.web import golang


class Wrong(Exception):
    """The command line is no good; the message is cobra's."""


class Flags:
    """The values of flags, by name, and what is no flag."""

    def __init__(self, values: Mapping[str, str], rest: Sequence[str]) -> None:
        self._values = values
        self.rest = rest

    def text(self, name: str) -> str:
        """A flag's value."""
        return self._values[name]

    def flag(self, name: str) -> bool:
        """Whether a flag is set. Wrong."""
        value = self._values[name].lower()
        if value not in _BOOLEANS:
            raise Wrong(
                f'invalid argument "{value}" for "--{name}" flag: strconv.ParseBool: parsing '
                f'"{value}": invalid syntax'
            )
        return _BOOLEANS[value]

    def number(self, name: str) -> int:
        """A whole number. Wrong."""
        value = self._values[name]
        if not value.lstrip("-").isdigit() or len(value) > 9:
            raise Wrong(
                f'invalid argument "{value}" for "--{name}" flag: strconv.ParseInt: parsing '
                f'"{value}": invalid syntax'
            )
        return int(value)

    def port(self, name: str) -> int:
        """A port. Wrong."""
        found = self.number(name)
        if not 0 < found < 65536:
            raise Wrong(f"listen tcp: address {found}: invalid port")
        return found

    def seconds(self, name: str) -> float:
        """A duration. Wrong."""
        found = golang.seconds(self._values[name])
        if found is None:
            raise Wrong(
                f'invalid argument "{self._values[name]}" for "--{name}" flag: time: invalid '
                f'duration "{self._values[name]}"'
            )
        return found


_BOOLEANS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def read(words: Sequence[str], known: Mapping[str, str]) -> Flags:
    """Read the flags of a subcommand; `known` has their defaults, "false" or "true" for those that
    take no value. A letter's name is `t=log-lines-total`: the flag of another name. Wrong.
    """
    values = {name: value for name, value in known.items() if "=" not in name}
    short = {name[0]: name[2:] for name in known if "=" in name}
    rest: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            rest += queue
            break
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, equals, value = word[1:].lstrip("-").partition("=")
        if not word.startswith("--"):
            if name[:1] not in short:
                raise Wrong(f"unknown shorthand flag: '{name[:1]}' in {word}")
            if len(name) > 1:
                equals, value = "=", name[1:]
            name = short[name[0]]
        if name not in values:
            raise Wrong(f"unknown flag: --{name}")
        if not equals and known[name] in ("true", "false"):
            value = "true"
        elif not equals:
            if not queue:
                raise Wrong(f"flag needs an argument: --{name}")
            value = queue.pop(0)
        values[name] = value
    return Flags(values, rest)
