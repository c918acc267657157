"""Walkers of whole objects: they leave out what nobody owns, and know again what they have seen.

The pods of a ReplicaSet, and a configuration that is applied again and again, differ in metadata
alone. The rest of them, as JSON text, is looked up before it is walked.
"""

import itertools
from typing import Any, Final

import msgspec

from cluster.api.managedfields import types
from cluster.api.managedfields.elements import SELF
from cluster.api.managedfields.fieldsets import Set, ordered_fields
from cluster.api.managedfields.walking import Changes, MapWalker

# What nobody owns: stripMeta in internal/stripmeta.go. (Not all of metadata is stripped.)
_NOBODYS: Final = ("apiVersion", "kind")
_NOBODYS_METADATA: Final = (
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
    "managedFields", "resourceVersion",
)  # fmt: skip
_ENVELOPE: Final = frozenset((*_NOBODYS, "metadata"))

_KNOWN: Final = 512  # texts kept for each use
_LONGEST: Final = 8192  # bytes

_Key = tuple[int, bytes]
_new: Final[dict[_Key, Set]] = {}
_claims: Final[dict[_Key, Set]] = {}
_sound: Final[dict[_Key, Set]] = {}
_numbers: Final = itertools.count()

_encode = msgspec.json.Encoder().encode


def of(kind: types.Type) -> "Root":
    """The walker of whole objects of a kind."""
    if kind.root is None:
        kind.root = Root(kind)
    found: Root = kind.root
    return found


class Root:
    """Tells the fields of whole objects of one kind."""

    def __init__(self, kind: types.Type) -> None:
        self._inner = MapWalker(kind, _NOBODYS)
        metadata = kind.fields.get("metadata")
        if metadata is not None:
            inner = MapWalker(metadata.type, _NOBODYS_METADATA)
            self._inner.replace("metadata", _Metadata(inner))
        # Walking what has no spec (a ConfigMap, which may be large) costs less than its text.
        self._remembers = "spec" in kind.fields
        self._number = next(_numbers)

    def diff(self, old: Any, new: Any) -> Changes:
        """What differs between two objects; `old` is {} where there is none."""
        if old:
            return self._inner.diff(old, new)
        text = self._rest(new)
        found = _new.get(text) if text else None
        if found is None:
            touched, _ = self._inner.diff(old, new)
            if text:
                _keep(_new, text, _without_metadata(touched))
            return touched, None
        touched, _ = self._inner.diff({}, {"metadata": new.get("metadata") or {}})
        return ordered_fields((touched or {}) | found) or None, None

    def claims(self, obj: Any) -> Set:
        """What an applied configuration takes."""
        text = self._rest(obj)
        found = _claims.get(text) if text else None
        if found is None:
            claimed = self._inner.claims(obj) or {}
            if text:
                _keep(_claims, text, _without_metadata(claimed))
            return claimed
        claimed = self._inner.claims({"metadata": obj.get("metadata")}) or {}
        return ordered_fields(claimed | found)

    def sound(self, config: Any) -> bool:
        """Whether a configuration was found sound before, but for its metadata."""
        return self._rest(config) in _sound

    def found_sound(self, config: Any) -> None:
        """A configuration is sound: remember it."""
        text = self._rest(config)
        if text:
            _keep(_sound, text, {})

    def _rest(self, obj: Any) -> _Key | None:
        """What an object is known by: its text less its envelope; None where it is too long."""
        if not self._remembers:
            return None
        text = _encode({name: value for name, value in obj.items() if name not in _ENVELOPE})
        return (self._number, text) if len(text) <= _LONGEST else None


def _keep(known: dict[_Key, Set], text: _Key, found: Set) -> None:
    if len(known) >= _KNOWN:
        known.clear()
    known[text] = found


def _without_metadata(found: Set | None) -> Set:
    return {element: below for element, below in (found or {}).items() if element != "f:metadata"}


class _Metadata:
    """metadata, of which the parts are owned and never the whole."""

    def __init__(self, inner: MapWalker) -> None:
        self._inner = inner

    def whole(self, value: Any) -> Set:
        return {key: below for key, below in self._inner.whole(value).items() if key != SELF}

    def diff(self, old: Any, new: Any) -> Changes:
        return self._inner.diff(old, new)

    def claims(self, value: Any) -> Set | None:
        return self._inner.claims(value) or None
