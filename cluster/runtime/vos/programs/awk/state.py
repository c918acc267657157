"""What an awk program changes: variables, the present record and its fields, output. Pure."""

from collections.abc import Callable
from typing import Any, Final

from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs.awk import builtins, values
from cluster.runtime.vos.programs.awk.syntax import Program, Wrong
from cluster.runtime.vos.programs.awk.values import Input, Value

_MAX_FIELDS: Final = 10_000
Array = dict[str, Value]


class State:
    """Variables, records, fields, output."""

    def __init__(self, call: Call, program: Program) -> None:
        self.call = call
        self.program = program
        self.out: list[str] = []
        self.code = 0
        self.chance = builtins.chance(0)
        self.seed = 0.0
        self.variables: dict[str, Value | Array] = {
            "FS": " ", "OFS": " ", "ORS": "\n", "RS": "\n", "NR": 0.0, "FNR": 0.0, "NF": 0.0,
            "CONVFMT": "%.6g", "OFMT": "%.6g", "SUBSEP": "\x1c", "FILENAME": "", "RSTART": 0.0,
            "RLENGTH": -1.0,
            "ENVIRON": {name: Input(value) for name, value in call.env.items()},
        }  # fmt: skip
        self.more: Callable[[], str | None] | None = None
        """The next record of the main input, for `getline`."""
        self.locals: list[dict[str, Value | Array]] = []
        self.record = ""
        self._fields: list[Value] | None = []
        self.inside: list[bool] = [False] * len(program.rules)
        self.files: dict[str, list[str]] = {}
        self.opened: dict[str, Any] = {}

    # ---- records and fields ------------------------------------------------------------------

    def take(self, record: str) -> None:
        """Have a record be the present one."""
        self.record = record
        self._fields = None

    def count(self) -> None:
        """A record of the main input was read."""
        for name in ("NR", "FNR"):
            self.variables[name] = self.plain(name) + 1

    def plain(self, name: str) -> float:
        """A global variable as a number."""
        found = self.variables.get(name)
        return 0.0 if isinstance(found, dict) else values.number(found)

    def string(self, name: str) -> str:
        """A global variable as a string."""
        found = self.variables.get(name)
        return "" if isinstance(found, dict) else values.text(found)

    def _split(self) -> list[Value]:
        if self._fields is None:
            separator = self.string("FS")
            parts = values.split(self.record, separator)
            if self.string("RS") == "" and separator != " ":
                parts = [one for part in parts for one in part.split("\n")]
            self._fields = [Input(part) for part in parts[:_MAX_FIELDS]]
            self.variables["NF"] = float(len(self._fields))
        return self._fields

    def field(self, number: int) -> Value:
        """A field; 0 is the record. Wrong."""
        if number == 0:
            return Input(self.record)
        if number < 0:
            raise Wrong("attempt to access field -1")
        fields = self._split()
        return fields[number - 1] if number <= len(fields) else None

    def put_field(self, number: int, value: Value) -> None:
        """Give a field another value. Wrong."""
        if number == 0:
            self.take(values.text(value))
            return
        if not 0 < number <= _MAX_FIELDS:
            raise Wrong("attempt to access field " + str(number))
        fields = self._split()
        fields += [""] * (number - len(fields))
        fields[number - 1] = value
        self._rebuild()

    def _rebuild(self) -> None:
        fields = self._fields or []
        self.variables["NF"] = float(len(fields))
        self.record = self.string("OFS").join(values.text(one, self.form) for one in fields)

    @property
    def form(self) -> str:
        """CONVFMT."""
        return self.string("CONVFMT")

    # ---- variables ---------------------------------------------------------------------------

    def scope(self, name: str) -> dict[str, Value | Array]:
        """Where a variable is: in the function that runs, or everywhere."""
        if self.locals and name in self.locals[-1]:
            return self.locals[-1]
        return self.variables

    def get(self, name: str) -> Value:
        """A variable. Wrong for an array."""
        if name == "NF":
            self._split()
        found = self.scope(name).get(name)
        if isinstance(found, dict):
            raise Wrong(f"attempt to use array '{name}' in a scalar context")
        return found

    def put(self, name: str, value: Value) -> None:
        """Set a variable. Wrong."""
        scope = self.scope(name)
        if isinstance(scope.get(name), dict):
            raise Wrong(f"attempt to use array '{name}' in a scalar context")
        scope[name] = value
        if name == "NF" and scope is self.variables:
            wanted = max(min(int(values.number(value)), _MAX_FIELDS), 0)
            self._fields = self._split_again(wanted)
            self._rebuild()

    def _split_again(self, wanted: int) -> list[Value]:
        fields = self._fields
        if fields is None:
            fields = [Input(one) for one in values.split(self.record, self.string("FS"))]
        return (fields + [""] * wanted)[:wanted]

    def array(self, name: str) -> Array:
        """An array, made where there is none. Wrong for a scalar."""
        scope = self.scope(name)
        found = scope.get(name)
        if found is None:
            found = scope[name] = {}
        if not isinstance(found, dict):
            raise Wrong(f"attempt to use scalar '{name}' as an array")
        return found
