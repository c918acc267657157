"""YAML read with its line numbers, so that a complaint about a field can name file, line and field.

A `Section` is a mapping of the file. Each `take_*` method takes one field out of it; a wrong value
becomes a `Problem` in the shared list and the default is used, so that one reading finds every
error of the file. `finish` complains about fields that nobody took.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cluster.api import faults, yaml_text

_NULL = "tag:yaml.org,2002:null"
_INT = "tag:yaml.org,2002:int"
_BOOL = "tag:yaml.org,2002:bool"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where. `line` counts from 1; `field` is a path, or ""."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return f"{where}{self.field}: {self.message}" if self.field else f"{where}{self.message}"


class InvalidFile(faults.Fault):
    """The file cannot be used; `problems` says why, in the order of its lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(str(problem) for problem in self.problems))


Check = Callable[[str], Iterable[str]]


class Section:
    """A mapping of the file under `path`; see the module."""

    def __init__(self, node: MappingNode, path: str, file: str, problems: list[Problem]) -> None:
        self.path = path
        self.line = node.start_mark.line + 1
        self._file = file
        self._problems = problems
        self._known: list[str] = []
        self._keys: dict[str, ScalarNode] = {}
        self._values: dict[str, Node] = {}
        for key, value in node.value:
            self._add(key, value)

    def __contains__(self, field: str) -> bool:
        return field in self._values

    def given(self, field: str) -> bool:
        """Whether a field is here and not null."""
        node = self._values.get(field)
        return node is not None and node.tag != _NULL

    def troubles(self) -> set[str]:
        """The fields of this section of which, or of what is in them, something is wrong."""
        under = f"{self.path}."
        wrong = (one.field for one in self._problems if one.field.startswith(under))
        return {re.split(r"[.\[]", field.removeprefix(under))[0] for field in wrong}

    def line_within(self, field: str, line: int) -> int:
        """The file's line of a line (from 1) of a text in a block (`|`); 0 where it is no such."""
        node = self._values.get(field)
        literal = isinstance(node, ScalarNode) and node.style == "|"
        return node.start_mark.line + 1 + line if node is not None and literal else 0

    def take_text(self, field: str, default: str = "", check: Check | None = None) -> str:
        """A scalar as it is written (`1.30` stays `1.30`); `check` gives complaints about it."""
        node = self._scalar(field)
        if node is None:
            return default
        complaints = list(check(node.value)) if check is not None else []
        for complaint in complaints:
            self.complain(f"{complaint}; it is {node.value!r}", field)
        return default if complaints else str(node.value)

    def take_number(self, field: str, default: int, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        node = self._scalar(field)
        if node is None:
            return default
        if node.tag == _INT and node.value.isdecimal() and least <= int(node.value) <= most:
            return int(node.value)
        self.complain(f"must be a whole number from {least} to {most}, not {node.value!r}", field)
        return default

    def take_truth(self, field: str, *, default: bool) -> bool:
        """true or false."""
        node = self._scalar(field)
        if node is None:
            return default
        if node.tag == _BOOL and node.value.lower() in ("true", "false"):
            return bool(node.value.lower() == "true")
        self.complain(f"must be true or false, not {node.value!r}", field)
        return default

    def take_texts(self, field: str, check: Check | None = None) -> tuple[str, ...]:
        """A list of scalars."""
        found: list[str] = []
        for position, node in enumerate(self._items(field)):
            if not isinstance(node, ScalarNode) or node.tag == _NULL:
                self._about(node, f"{field}[{position}]", "must be a text")
                continue
            for complaint in check(node.value) if check is not None else ():
                self._about(node, f"{field}[{position}]", f"{complaint}; it is {node.value!r}")
            found.append(node.value)
        return tuple(found)

    def take_section(self, field: str) -> "Section | None":
        """A mapping, or None where it is absent."""
        node = self._taken(field)
        if node is None:
            return None
        return self._section(node, field)

    def take_sections(self, field: str) -> list["Section"]:
        """A list of mappings; those of its items that are none are complained about."""
        made = (
            self._section(node, f"{field}[{position}]")
            for position, node in enumerate(self._items(field))
        )
        return [section for section in made if section is not None]

    def take_all_texts(self) -> dict[str, str]:
        """Every field not yet taken, as text: a mapping whose keys are free."""
        fields = [field for field in self._values if field not in self._known]
        return {field: self.take_text(field) for field in fields}

    def finish(self) -> None:
        """Complain about the fields that nobody took, with the nearest known one."""
        for field, key in self._keys.items():
            if field in self._known:
                continue
            near = difflib.get_close_matches(field, self._known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(self._known)}"
            self._about(key, field, f"unknown field; {hint}")

    def complain(self, message: str, field: str = "", line: int = 0) -> None:
        """Note that something is wrong with `field`, or with the section itself; `line` is where,
        if not where that begins.
        """
        if not line:
            line = self._keys[field].start_mark.line + 1 if field in self._keys else self.line
        self._problems.append(Problem(self._file, line, self._under(field), message))

    def _add(self, key: Node, value: Node) -> None:
        if not isinstance(key, ScalarNode):
            self._about(key, "", "a field's name must be a text")
            return
        if key.value in self._values:
            self._about(key, key.value, "is here twice")
        self._keys[key.value] = key
        self._values[key.value] = value

    def _taken(self, field: str) -> Node | None:
        self._known.append(field)
        node = self._values.get(field)
        if isinstance(node, ScalarNode) and node.tag == _NULL:
            return None
        return node

    def _scalar(self, field: str) -> ScalarNode | None:
        node = self._taken(field)
        if node is None or isinstance(node, ScalarNode):
            return node
        self.complain(f"must be a single value, not {_shape(node)}", field)
        return None

    def _items(self, field: str) -> list[Node]:
        node = self._taken(field)
        if node is None:
            return []
        if isinstance(node, SequenceNode):
            return list(node.value)
        self.complain(f"must be a list, not {_shape(node)}", field)
        return []

    def _section(self, node: Node, field: str) -> "Section | None":
        if isinstance(node, MappingNode):
            return Section(node, self._under(field), self._file, self._problems)
        self._about(node, field, f"must have fields of its own, not be {_shape(node)}")
        return None

    def _about(self, node: Node, field: str, message: str) -> None:
        line = node.start_mark.line + 1
        self._problems.append(Problem(self._file, line, self._under(field), message))

    def _under(self, field: str) -> str:
        return ".".join(part for part in (self.path, field) if part)


def read(text: str, file: str, problems: list[Problem]) -> Section:
    """The top of the file. InvalidFile where it is not YAML or not one mapping."""
    try:
        yaml_text.check_shape(text)
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml_text.Unreadable as error:
        raise InvalidFile([Problem(file, 1, "", str(error))]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise InvalidFile([Problem(file, line, "", f"not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise InvalidFile([Problem(file, 1, "", f"not YAML: {error}")]) from error
    if not isinstance(node, MappingNode):
        shape = "empty" if node is None else _shape(node)
        raise InvalidFile([Problem(file, 1, "", f"must have fields at its top, but is {shape}")])
    return Section(node, "", file, problems)


def _shape(node: Node) -> str:
    if isinstance(node, SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, MappingNode) else f"the single value {node.value!r}"
