"""One version of a custom resource: the `api.custom.Custom` of its row.

Everything is compiled when it is first needed: a cluster with hundreds of definitions pays for
those that are used.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from cluster.api import causes, errors, objects, schema, selectors, walker
from cluster.api.crd import (
    checking,
    columns,
    defaulting,
    embedded,
    jsonpath,
    lists,
    pruning,
    structure,
)
from cluster.api.crd.found import MISSING, NO_PATH, Enough, Found
from cluster.api.objects import Object
from cluster.api.printing.table import Printer

_BLOCKING: Final = (
    "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany",
    "FieldValueTypeInvalid",
)  # fmt: skip
_NOT_CHECKED: Final = (
    "some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation"
)

Rules = Callable[[Object, Object | None], list[errors.Cause]]
"""Evaluates x-kubernetes-validations of an object and the one that it replaces, if any."""


class Version:
    """The rules of the version `said`, an entry of spec.versions that passed `definition`.

    `webhook`: objects of other versions are converted by a webhook, not by changing apiVersion.
    `since` is the revision from which on this version has been as it is: objects stored before it
    are read with its defaults.
    """

    def __init__(
        self,
        api_version: str,
        kind: str,
        said: Mapping[str, Any],
        *,
        webhook: bool = False,
        since: int = 0,
    ) -> None:
        self.api_version = api_version
        self.kind = kind
        self.said = said
        self.webhook = webhook
        self.since = since

    @property
    def document(self) -> Mapping[str, Any]:
        """The schema as the definition has it (openAPIV3Schema)."""
        found: Mapping[str, Any] = (self.said.get("schema") or {}).get("openAPIV3Schema") or {}
        return found

    @cached_property
    def root(self) -> structure.Schema:
        """The schema, read."""
        return structure.parse(self.document)

    @cached_property
    def node(self) -> schema.Node:
        """What is known of it as of a built-in kind: metadata."""
        return schema.Node.envelope(schema.NEWEST, self.kind)

    @cached_property
    def printer(self) -> Printer:
        """The columns of `kubectl get`."""
        return columns.printer(self.said.get("additionalPrinterColumns") or ())

    @cached_property
    def scale(self) -> "Scale | None":
        """Where the scale subresource reads and writes; None without one."""
        said = (self.said.get("subresources") or {}).get("scale")
        return Scale(said) if said else None

    def decoded(self, document: Object, unknown: walker.Unknown) -> Object:
        """The pruned copy of a document; paths of what was dropped go to `unknown`.

        walker.Malformed for metadata with values of other types than it can hold.
        """
        said = {"metadata": document.get("metadata") or {}}
        metadata = walker.walk(self.node, said, unknown)["metadata"]
        pruned: Object = self._prune(document, "", unknown.paths)
        pruned["metadata"] = metadata
        if self._coerce is not None:
            self._coerce(pruned, unknown.paths)
        return pruned

    def default(self, obj: Object) -> None:
        """Fill in the schema's defaults, in place."""
        self._default(obj)

    def restored(self, obj: Object) -> Object | None:
        """A stored object as it is read: pruned and with the defaults that the schema has now.

        None where that changes nothing.
        """
        found: Object = self._prune(obj, "", [])
        self._default(found)
        return None if found == obj else found

    def check_new(self, obj: Object) -> list[errors.Cause]:
        """What is wrong with a new object."""
        found = Found()
        try:
            self._check(obj, MISSING, (), found)
            if self._check_embedded is not None:
                self._check_embedded(obj, found)
            if self._check_lists is not None:
                self._check_lists(obj, (), found)
        except Enough:
            return found.causes
        self._check_scale(obj, found)
        return self._ruled(obj, None, found.causes)

    def check_update(self, old: Object, new: Object, subresource: str) -> list[errors.Cause]:
        """What is wrong with an object that shall replace `old`; what was wrong before may stay."""
        found = Found()
        try:
            self._check(new, old, (), found)
            if self._check_embedded is not None and not _finds(self._check_embedded, old):
                self._check_embedded(new, found)
            lists_check = self._check_lists
            if lists_check is not None and not _finds(lambda o, f: lists_check(o, (), f), old):
                lists_check(new, (), found)
        except Enough:
            return found.causes
        self._check_scale(new, found)
        return self._ruled(new, old, found.causes)

    def converted(self, obj: Object, api_version: str) -> Object | None:
        """The object in this version, from `api_version`; None where only a webhook can tell.

        What was stored before this version became as it is gets the defaults of now.
        """
        if api_version == self.api_version:
            if objects.revision(obj) >= self.since:
                return obj
            return self.restored(obj) or obj
        if self.webhook:
            return None
        # What the other version knows and this one does not goes (apiextensions-apiserver's
        # schemaCoercingConverter): nothing is stored that the stored version would not take.
        return {"apiVersion": self.api_version, **_without(self.pruned(obj), "apiVersion")}

    def pruned(self, obj: Object) -> Object:
        """The object without what this version's schema does not know."""
        found: Object = self._prune(obj, "", [])
        return found

    @cached_property
    def _rules(self) -> Rules | None:
        """The x-kubernetes-validations, compiled; None where there are none."""
        from cluster.api.crd import rules  # late: brings CEL

        return rules.compiled(self.root)

    def _ruled(
        self, obj: Object, old: Object | None, found: list[errors.Cause]
    ) -> list[errors.Cause]:
        if not self._has_rules:
            return found
        if any(cause.reason in _BLOCKING for cause in found):
            return [*found, causes.invalid(NO_PATH, None, _NOT_CHECKED)]
        return found + (self._rules(obj, old) if self._rules is not None else [])

    def _check_scale(self, obj: Object, found: Found) -> None:
        if self.scale is not None:
            for cause in self.scale.check(obj):
                found.causes.append(cause)

    @cached_property
    def _prune(self) -> pruning.Prune:
        return pruning.compiled(self.root)

    @cached_property
    def _default(self) -> defaulting.Default:
        return defaulting.compiled(self.root)

    @cached_property
    def _coerce(self) -> Callable[[Any, list[str]], None] | None:
        return embedded.compiled_coercion(self.root)

    @cached_property
    def _check(self) -> checking.Check:
        return checking.compiled(self.root)

    @cached_property
    def _check_embedded(self) -> Callable[[Any, Found], None] | None:
        return embedded.compiled_check(self.root)

    @cached_property
    def _check_lists(self) -> lists.Check | None:
        return lists.compiled(self.root)

    @cached_property
    def _has_rules(self) -> bool:
        return has_rules(self.root)


def has_rules(node: structure.Schema) -> bool:
    """Whether a node or one inside it has x-kubernetes-validations."""
    inner = [*node.properties.values(), node.items, node.element]
    return bool(node.rules) or any(one is not None and has_rules(one) for one in inner)


class Scale:
    """The paths of a scale subresource (`specReplicasPath`…), which are plain paths."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.spec = _fields(said.get("specReplicasPath"))
        self.status = _fields(said.get("statusReplicasPath"))
        self.selector = _fields(said.get("labelSelectorPath"))

    def wanted(self, obj: Object) -> int:
        """The replicas that the object asks for, 0 where it says nothing."""
        return _count(_at(obj, self.spec))

    def present(self, obj: Object) -> int:
        """The replicas that the object has."""
        return _count(_at(obj, self.status))

    def selector_text(self, obj: Object) -> str:
        """The label selector, as text."""
        found = _at(obj, self.selector) if self.selector else None
        return found if isinstance(found, str) else ""

    def put(self, obj: Object, replicas: int) -> None:
        """Ask for so many replicas; the object is changed in place."""
        at = obj
        for step in self.spec[:-1]:
            inner = at.get(step)
            if not isinstance(inner, dict):
                inner = at[step] = {}
            at = inner
        at[self.spec[-1]] = replicas

    def check(self, obj: Object) -> list[errors.Cause]:
        """What keeps the object from being scaled."""
        found = _check_count(obj, self.spec) + _check_count(obj, self.status)
        text = self.selector_text(obj)
        if text:
            try:
                selectors.parse_labels(text)
            except errors.BadRequest as error:
                found.append(causes.invalid("." + ".".join(self.selector), text, error.message))
        return found


def _check_count(obj: Object, path: Sequence[str]) -> list[errors.Cause]:
    value, where = _at(obj, path), "." + ".".join(path)
    if type(value) is not int:
        return []
    if value < 0:
        return [causes.invalid(where, value, "should be a non-negative integer")]
    if value > 2**31 - 1:
        return [causes.invalid(where, value, f"should be less than or equal to {2**31 - 1}")]
    return []


def _fields(path: Any) -> tuple[str, ...]:
    if not path:
        return ()
    try:
        return jsonpath.parse(path).fields or ()
    except jsonpath.Malformed:
        return ()


def _at(obj: Object, path: Sequence[str]) -> Any:
    found: Any = obj
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _count(value: Any) -> int:
    return value if type(value) is int else 0


def _finds(check: Callable[[Any, Found], None], obj: Object) -> bool:
    found = Found()
    try:
        check(obj, found)
    except Enough:
        return True
    return bool(found.causes)


def _without(obj: Object, field: str) -> Object:
    return {key: value for key, value in obj.items() if key != field}
