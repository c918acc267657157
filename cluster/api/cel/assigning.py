"""Which type fits where, with type parameters bound as they are met (cel-go's unification)."""

from collections.abc import Callable

from cluster.api.cel.types import DYN, Type

# Values of these may be null. Lists, maps and plain scalars may not.
_NULLABLE = frozenset(("null_type", "object", "timestamp", "duration", "optional_type"))


class Bindings:
    """Type parameters of one expression and what they were found to be."""

    def __init__(self) -> None:
        self.names: dict[str, Type] = {}
        self._count = 0

    def variable(self) -> Type:
        """A new type that is not known yet (the element of `[]`)."""
        self._count += 1
        return Type("param", name=f"_var{self._count - 1}")

    def fresh(self) -> Callable[[Type], Type]:
        """Renames the parameters of one declaration so that each use has its own."""
        made: dict[str, Type] = {}

        def renamed(type: Type) -> Type:
            if type.kind == "param":
                found = made.get(type.name)
                if found is None:
                    found = made[type.name] = self.variable()
                return found
            if not type.params:
                return type
            return _with(type, tuple(renamed(item) for item in type.params))

        return renamed

    def saved(self) -> dict[str, Type]:
        """What to give to `restore`."""
        return dict(self.names)

    def restore(self, saved: dict[str, Type]) -> None:
        """Forget what was bound since."""
        self.names = saved

    def resolved(self, type: Type) -> Type:
        """The type with what is known of its parameters filled in."""
        if type.kind == "param":
            found = self.names.get(type.name)
            return type if found is None else self.resolved(found)
        if not type.params or not self.names:
            return type
        params = tuple(self.resolved(item) for item in type.params)
        if all(one is other for one, other in zip(params, type.params, strict=True)):
            return type
        return _with(type, params)

    def assignable(self, to: Type, given: Type) -> bool:
        """Whether a value of type `given` can stand where `to` is wanted; binds parameters."""
        if to is given:
            return True
        if to.kind == "param" or given.kind == "param":
            return self._bound(to, given)
        one, other = to.kind, given.kind
        if one in ("dyn", "error") or other in ("dyn", "error"):
            return True
        if one != other:
            if other == "null_type":
                return one in _NULLABLE or "." in one
            return False
        if one == "object":
            return to.name == given.name
        if len(to.params) != len(given.params):
            return False
        if one == "type":
            return True
        return all(map(self.assignable, to.params, given.params))

    def _bound(self, to: Type, given: Type) -> bool:
        to, given = self.resolved(to), self.resolved(given)
        if to is given or (to.kind == given.kind == "param" and to.name == given.name):
            return True
        if to.kind == "param":
            if _mentions(given, to.name):
                return False
            self.names[to.name] = given
            return True
        if given.kind == "param":
            if _mentions(to, given.name):
                return False
            self.names[given.name] = to
            return True
        if self.assignable(to, given):
            return True
        return self.assignable(given, to)

    def joined(self, one: Type, other: Type) -> Type:
        """The more general of two types that fit each other."""
        one, other = self.resolved(one), self.resolved(other)
        if one.kind == "dyn" or other.kind == "dyn":
            return DYN
        if one.kind in ("param", "null_type"):
            return other
        if one.params and len(one.params) == len(other.params):
            params = tuple(map(self.joined, one.params, other.params))
            if all(a is b for a, b in zip(params, one.params, strict=True)):
                return one
            return _with(one, params)
        return one


def _with(type: Type, params: tuple[Type, ...]) -> Type:
    return Type(
        type.kind, params, name=type.name, fields=type.fields, listing=type.listing,
        keys=type.keys, largest=type.largest, smallest=type.smallest,
    )  # fmt: skip


def _mentions(type: Type, name: str) -> bool:
    if type.kind == "param":
        return type.name == name
    return any(_mentions(item, name) for item in type.params)
