"""What a shell knows: variables, options, functions, traps. A subshell has a copy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cluster.runtime.vos.shell import syntax
from cluster.runtime.vos.shell.words import Wrong

_MAX_BYTES: Final = 4 << 20
_ELEMENT: Final = 64
"""What an element of an array is counted for, beside its text."""

Array = dict[int | str, str]


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
    """See the module. `positional` are `$1` and so on; `dynamic` are variables with a value that
    changes by itself, until they are set.
    """

    def __init__(
        self, environment: Mapping[str, str], *, name: str, positional: Sequence[str], cwd: str,
        bash: bool = False,
    ) -> None:  # fmt: skip
        self.name = name
        self.bash = bash
        self.positional = list(positional)
        self.cwd = cwd
        self.pid = 0
        self.status = 0
        self.background = 0
        self.options: dict[str, bool] = {}
        self.functions: dict[str, syntax.Command] = {}
        self.traps: dict[int, str] = {}
        self.dynamic: Mapping[str, Callable[[], str]] = {}
        self._variables = dict(environment)
        self._exported = dict.fromkeys(environment)
        self._readonly: dict[str, None] = {}
        self._arrays: dict[str, Array] = {}
        self._keyed: dict[str, None] = {}
        self._locals: list[dict[str, tuple[str | None, Array | None]]] = []
        self._used = sum(len(key) + len(value) for key, value in environment.items())

    def copy(self) -> "State":
        """The state of a subshell."""
        made = State(
            self._variables, name=self.name, positional=self.positional, cwd=self.cwd,
            bash=self.bash,
        )  # fmt: skip
        made.pid, made.status, made.background = self.pid, self.status, self.background
        made.options, made.functions = dict(self.options), dict(self.functions)
        made._exported, made._readonly = dict(self._exported), dict(self._readonly)
        made._arrays = {name: dict(array) for name, array in self._arrays.items()}
        made._locals = [dict(kept) for kept in self._locals]
        made.dynamic = self.dynamic
        made._keyed, made._used = dict(self._keyed), self._used
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
        elif name in self._arrays:
            found = self._arrays[name].get(self.key(name, "0"))
        else:
            found = self._variables.get(name)
            if found is None and name in self.dynamic:
                found = self.dynamic[name]()
        if found is None and self.options.get("u"):
            raise Wrong(f"{name}: parameter not set")
        return found

    def put(self, name: str, value: str) -> None:
        """Set a variable. Wrong where it is read-only, or memory is out."""
        if name in self._arrays:
            self.put_element(name, self.key(name, "0"), value)
            return
        self._writable(name)
        self._use(len(name) + len(value) - len(self._variables.get(name, "")))
        self._variables[name] = value

    def unset(self, name: str) -> None:
        """Forget a variable."""
        self._writable(name)
        self._variables.pop(name, None)
        self._exported.pop(name, None)
        self._arrays.pop(name, None)
        self._keyed.pop(name, None)

    def _writable(self, name: str) -> None:
        if name in self._readonly:
            raise Wrong(f"{name}: is read only")

    def _use(self, letters: int) -> None:
        self._used += letters
        if self._used > _MAX_BYTES:
            raise Wrong("out of memory")

    # ---- arrays ------------------------------------------------------------------------------

    def keyed(self, name: str) -> bool:
        """Whether a variable is an array with keys of text (`declare -A`)."""
        return name in self._keyed

    def key(self, name: str, text: str) -> int | str:
        """An element's key; a negative number counts from the end."""
        if name in self._keyed:
            return text
        number = int(text)
        if number < 0:
            number += max((int(key) for key, _ in self.elements(name)), default=-1) + 1
        if number < 0:
            raise Wrong(f"{name}[{text}]: bad array subscript")
        return number

    def element(self, name: str, key: int | str) -> str | None:
        """An element; None where it is not set. Any variable is an array of one."""
        array = self._arrays.get(name)
        if array is not None:
            return array.get(key)
        return self._variables.get(name) if key == 0 else None

    def elements(self, name: str) -> list[tuple[int | str, str]]:
        """Keys and values in order."""
        array = self._arrays.get(name)
        if array is None:
            value = self._variables.get(name)
            return [] if value is None else [(0, value)]
        return list(array.items()) if name in self._keyed else sorted(array.items(), key=_order)

    def put_element(self, name: str, key: int | str, value: str) -> None:
        """Set an element. Wrong."""
        self._writable(name)
        array = self._array(name)
        self._use(len(value) + _ELEMENT - len(array.get(key, "")))
        array[key] = value

    def unset_element(self, name: str, key: int | str) -> None:
        """Forget an element."""
        self._writable(name)
        self._array(name).pop(key, None)

    def declare(self, name: str, *, keyed: bool = False) -> None:
        """Make a variable an array."""
        self._writable(name)
        self._array(name)
        if keyed:
            self._keyed[name] = None

    def clear(self, name: str) -> None:
        """Make a variable an array without elements."""
        self.declare(name)
        self._arrays[name] = {}

    def _array(self, name: str) -> "Array":
        if name not in self._arrays:
            value = self._variables.pop(name, None)
            self._use(len(name) + _ELEMENT)
            self._arrays[name] = {} if value is None else {0: value}
        return self._arrays[name]

    # ---- functions ---------------------------------------------------------------------------

    def enter(self) -> None:
        """A function begins: what it makes local is its own."""
        self._locals.append({})

    @property
    def in_function(self) -> bool:
        """Whether a function runs."""
        return bool(self._locals)

    def localize(self, name: str) -> None:
        """Make a variable the function's own. Wrong outside of one."""
        if not self._locals:
            raise Wrong("local: not in a function")
        kept = self._locals[-1]
        if name not in kept:
            kept[name] = (self._variables.get(name), self._arrays.pop(name, None))

    def leave(self) -> None:
        """The function has ended."""
        for name, (value, array) in self._locals.pop().items():
            self._arrays.pop(name, None)
            self.restore({name: value})
            if array is not None:
                self._arrays[name] = array

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


def _order(pair: tuple[int | str, str]) -> int:
    return int(pair[0])


_SPECIAL: Final[dict[str, Callable[[State], str]]] = {
    "?": lambda state: str(state.status),
    "$": lambda state: str(state.pid),
    "!": lambda state: str(state.background) if state.background else "",
    "#": lambda state: str(len(state.positional)),
    "-": lambda state: "".join(name for name in state.options if len(name) == 1),
    "@": lambda state: " ".join(state.positional),
    "*": lambda state: " ".join(state.positional),
}
