"""What a shell knows: variables, options, functions, traps. A subshell has a copy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cluster.runtime.vos.shell import syntax
from cluster.runtime.vos.shell.words import Wrong

_MAX_BYTES: Final = 4 << 20


class Break(Exception):
    """`break N`, or `continue N`."""

    def __init__(self, levels: int, *, again: bool) -> None:
        super().__init__()
        self.levels = levels
        self.again = again


class Return(Exception):
    """`return N`."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


class Exit(Exception):
    """`exit N`."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


class State:
    """See the module. `positional` are `$1` and so on."""

    def __init__(
        self, environment: Mapping[str, str], *, name: str, positional: Sequence[str], cwd: str
    ) -> None:
        self.name = name
        self.positional = list(positional)
        self.cwd = cwd
        self.pid = 0
        self.status = 0
        self.background = 0
        self.options: dict[str, bool] = {}
        self.functions: dict[str, syntax.Command] = {}
        self.traps: dict[int, str] = {}
        self._variables = dict(environment)
        self._exported = dict.fromkeys(environment)
        self._readonly: dict[str, None] = {}
        self._used = sum(len(key) + len(value) for key, value in environment.items())

    def copy(self) -> "State":
        """The state of a subshell."""
        made = State(self._variables, name=self.name, positional=self.positional, cwd=self.cwd)
        made.pid, made.status, made.background = self.pid, self.status, self.background
        made.options, made.functions = dict(self.options), dict(self.functions)
        made._exported, made._readonly = dict(self._exported), dict(self._readonly)
        return made

    def get(self, name: str) -> str | None:
        """A parameter's value; None where it is not set. Wrong under `set -u`."""
        special = _SPECIAL.get(name)
        if special is not None:
            return special(self)
        if name.isdigit():
            number = int(name[:9])
            found = self.name if number == 0 else None
            if 0 < number <= len(self.positional):
                found = self.positional[number - 1]
        else:
            found = self._variables.get(name)
        if found is None and self.options.get("u"):
            raise Wrong(f"{name}: parameter not set")
        return found

    def put(self, name: str, value: str) -> None:
        """Set a variable. Wrong where it is read-only, or memory is out."""
        if name in self._readonly:
            raise Wrong(f"{name}: is read only")
        self._used += len(name) + len(value) - len(self._variables.get(name, ""))
        if self._used > _MAX_BYTES:
            raise Wrong("out of memory")
        self._variables[name] = value

    def unset(self, name: str) -> None:
        """Forget a variable."""
        if name in self._readonly:
            raise Wrong(f"{name}: is read only")
        self._variables.pop(name, None)
        self._exported.pop(name, None)

    def export(self, name: str) -> None:
        """Let programs see a variable."""
        self._exported[name] = None

    def protect(self, name: str) -> None:
        """Make a variable read-only."""
        self._readonly[name] = None

    def saved(self, names: Sequence[str]) -> dict[str, str | None]:
        """The values of variables, for `restore`."""
        return {name: self._variables.get(name) for name in names}

    def restore(self, values: Mapping[str, str | None]) -> None:
        """Set variables back."""
        for name, value in values.items():
            if value is None:
                self._variables.pop(name, None)
            else:
                self._variables[name] = value

    def environment(self) -> dict[str, str]:
        """What programs see."""
        known = self._variables
        return {name: known[name] for name in self._exported if name in known}

    def variables(self) -> list[tuple[str, str]]:
        """All variables, sorted."""
        return sorted(self._variables.items())


_SPECIAL: Final[dict[str, Callable[[State], str]]] = {
    "?": lambda state: str(state.status),
    "$": lambda state: str(state.pid),
    "!": lambda state: str(state.background) if state.background else "",
    "#": lambda state: str(len(state.positional)),
    "-": lambda state: "".join(name for name in state.options if len(name) == 1),
    "@": lambda state: " ".join(state.positional),
    "*": lambda state: " ".join(state.positional),
}
