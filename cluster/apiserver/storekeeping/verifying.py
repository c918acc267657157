"""Whether what is stored is whole: each object by itself, and how they fit together. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from cluster.api import errors, identity, objects, resources, rules, schema, validation
from cluster.apiserver import codec
from cluster.apiserver.encryption.ciphers import PREFIX
from cluster.apiserver.storekeeping import own
from cluster.storage.interface import Record

_NOBODY: Final = identity.User("system:apiserver", (identity.MASTERS,))
_NAMESPACES: Final = "namespaces"


class Finding(NamedTuple):
    """Something that is not as it should be. `serious` False: it may come right by itself."""

    key: str
    what: str
    serious: bool = True


@dataclass(slots=True)
class Verifier:
    """Takes all records of one revision, in key order; then `rest` tells what only the whole shows.

    `reason` says why a stored value cannot be read, where the server knows ("" where it can).
    `sealed`: nobody has keys here, so values that are encrypted are told of, and not looked into.
    """

    table: resources.Table
    revision: int
    now: float
    version: str = schema.NEWEST
    reason: Callable[[Record], str] = lambda _record: ""
    sealed: bool = False
    records: int = 0
    _last: str = ""
    _uids: dict[str, str] = field(default_factory=dict)
    _kinds: dict[str, tuple[str, str]] = field(default_factory=dict)
    _owners: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    _spaces: dict[str, str] = field(default_factory=dict)
    _there: dict[str, None] = field(default_factory=dict)

    def take(self, record: Record) -> Iterator[Finding]:
        """What is wrong with one record."""
        self.records += 1
        key = record.key
        if key <= self._last:
            yield Finding(key, f"the store gives it after {self._last}")
        self._last = key
        if not 0 < record.created <= record.revision <= self.revision:
            yield Finding(
                key,
                f"its revisions cannot be: created at {record.created}, written at "
                f"{record.revision}, the store is at {self.revision}",
            )
        if own.of_servers(key):
            return
        if not key.startswith(codec.PREFIX):
            yield Finding(key, f"no key of an object: it does not start with {codec.PREFIX}")
            return
        if self.sealed and record.value.startswith(PREFIX):
            yield self._encrypted(record)
            return
        try:
            obj = codec.decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Finding(key, self.reason(record) or f"its value is no JSON: {error}")
            return
        if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
            yield Finding(key, "its value is no object")
            return
        spelled = codec.spelled(record.value)
        if spelled is None:
            yield Finding(key, "API servers cannot read its value: it is no object to them")
        elif spelled is not record.value:
            what = "its value is spelled otherwise than API servers write; they read it"
            yield Finding(key, what, serious=False)
        yield from self._object(key, obj)

    def rest(self) -> Iterator[Finding]:
        """What is wrong between objects: owners and namespaces that are not there."""
        for key, namespace, owner in self._owners:
            uid = str(owner.get("uid"))
            found = self._kinds.get(uid)
            said = f"{owner.get('kind')} {owner.get('name')}"
            if found is None:
                yield Finding(
                    key, f"its owner {said} ({uid}) is not there: garbage, soon collected", False
                )
            elif found[1] not in ("", namespace):
                yield Finding(key, f"its owner {said} is in another namespace, {found[1]}")
        for namespace, key in self._spaces.items():
            if namespace not in self._there:
                yield Finding(key, f"its namespace {namespace} is not there")

    def _encrypted(self, record: Record) -> Finding:
        resource, _, name = codec.split(record.key)
        if resource == _NAMESPACES:
            self._there[name] = None
        provider = record.value[len(PREFIX) :].partition(b":")[0][:20].decode("ascii", "replace")
        return Finding(record.key, f"it is encrypted ({provider}), and was not looked into", False)

    def _object(self, key: str, obj: dict[str, Any]) -> Iterator[Finding]:
        resource, namespace, name = codec.split(key)
        meta = obj["metadata"]
        if meta.get("name") != name or (meta.get("namespace") or "") != namespace:
            found = "/".join(filter(None, (meta.get("namespace"), meta.get("name"))))
            yield Finding(key, f"the object says that it is {found}")
        if "resourceVersion" in meta:
            yield Finding(key, "the stored object has a resourceVersion of its own")
        yield from self._identity(key, meta)
        if resource == _NAMESPACES:
            self._there[name] = None
        if namespace:
            self._spaces.setdefault(namespace, key)
        for owner in meta.get("ownerReferences") or ():
            self._owners.append((key, namespace, owner))
        row = self.table.get(resource)
        if row is None:
            yield Finding(key, f"nothing serves the resource {resource}", serious=False)
            return
        self._kinds[str(meta.get("uid"))] = (row.kind, namespace)
        if obj.get("kind") != row.kind:
            yield Finding(key, f"it is a {obj.get('kind')}, not a {row.kind}")
        elif obj.get("apiVersion") != row.api_version:
            if row.custom is None:
                yield Finding(
                    key, f"it is stored as {obj.get('apiVersion')}, not {row.api_version}"
                )
        else:
            yield from self._rules(key, row, obj)

    def _identity(self, key: str, meta: Mapping[str, Any]) -> Iterator[Finding]:
        uid = meta.get("uid")
        if not uid:
            yield Finding(key, "it has no uid")
            return
        other = self._uids.setdefault(str(uid), key)
        if other != key:
            yield Finding(key, f"its uid {uid} is that of {other}, too")
        if not meta.get("creationTimestamp"):
            yield Finding(key, "it has no creationTimestamp")

    def _rules(self, key: str, row: resources.Resource, obj: objects.Object) -> Iterator[Finding]:
        """Whether the server would take the object as it is."""
        request = rules.Request(
            now=self.now,
            random=Random(0),  # noqa: S311  (nothing is made of it)
            user=_NOBODY,
            field_validation="Ignore",
            version=self.version,
        )
        try:
            rules.for_update(row, obj, msgspec.json.decode(codec.document(obj)), request)
        except errors.StatusError as error:
            yield Finding(key, f"it breaks the rules: {error.message}")
            return
        except Exception as error:  # noqa: BLE001  (what is stored may be anything)
            yield Finding(key, f"the rules fail on it: {error!r}")
            return
        # An update lets pass what was there before; a custom resource's rules may be newer.
        for cause in validation.of_new(row, obj):
            said = f"it breaks the rules: {cause.field}: {cause.message}"
            yield Finding(key, said, serious=row.custom is None)
