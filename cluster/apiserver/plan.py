"""One operation on its way: the call that asks for it, and the plan that answers it.

Planning is synchronous and reads nothing but the watch cache; the writer carries plans out.
"""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import msgspec

from cluster.api import errors, identity, rules, schema
from cluster.api.objects import Object
from cluster.api.operations import Operation
from cluster.api.resources import Resource
from cluster.apiserver import codec
from cluster.apiserver.authn.serviceaccounts import Issuer
from cluster.apiserver.authz.modes import Built
from cluster.apiserver.outside import Answers
from cluster.apiserver.tenure import Tenures
from cluster.apiserver.views import Views
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry

Render = Callable[[Entry], Entry]


class Plan(NamedTuple):
    """What to ask of the store, and how to answer.

    `value` None deletes. `expected` is the revision that was read, 0 where nothing was there.
    `old` is what was read. `firm`: the caller named the state that must be current, so that a
    change meanwhile is a conflict and no reason to try again. `render` turns the entry that came
    to be (for a deletion: the last state, at the revision of its end) into the answer. `then`: this
    is but a step of the operation, which may be to another object; it is called when the step is
    made, and the operation is planned again.
    """

    key: str
    value: bytes | None
    expected: int
    old: Entry | None = None
    firm: bool = False
    render: Render | None = None
    then: Callable[[], None] | None = None


class Call(msgspec.Struct, eq=False):
    """One attempt at an operation.

    `row` is the version that the request names, in which bodies are and rules apply; `stored` is
    the row in whose form the object is kept. `answers` holds what was asked outside, for planning
    that raises `outside.Ask`. `settled` holds what to call when the attempt is over, however it
    ended: allocators put the release of their reservations there. `warnings` is what the user
    should be told; `repeated` are the fields that the body gives more than once. `issuer` signs
    service account tokens, if there is a key for that. `authz` tells what the user may do besides.
    `notes` are annotations for audit. `tenures` is there where other servers write to the store,
    too; `guards` are the records that must be as they are for the write to be made.
    """

    operation: Operation
    row: Resource
    stored: Resource
    user: identity.User
    now: float
    random: Random
    cache: WatchCache
    views: Views
    version: str = schema.NEWEST
    settled: list[Callable[[], None]] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    repeated: tuple[str, ...] = ()
    answers: Answers = msgspec.field(default_factory=Answers)
    issuer: Issuer | None = None
    authz: Built | None = None
    notes: dict[str, str] | None = None
    tenures: Tenures | None = None
    guards: tuple[tuple[str, int], ...] = ()

    def guard(self, key: str, revision: int) -> None:
        """Let the write be made only while `key` has this revision (0: is not there)."""
        wanted = (key, revision)
        if wanted not in self.guards:
            self.guards = (*self.guards, wanted)

    @property
    def namespace(self) -> str:
        """The namespace of the object; "" for a cluster-scoped one."""
        return self.operation.namespace if self.row.namespaced else ""

    def found(self) -> Entry | None:
        """The object that the operation names, if it is there."""
        return self.cache.get(self.stored.id, self.namespace, self.operation.name)

    def entry(self) -> Entry:
        """The object that the operation names. errors.NotFound."""
        found = self.found()
        if found is None:
            raise errors.not_found(self.row.id, self.operation.name)
        return found

    def document(self, entry: Entry) -> Object:
        """An object as the request's version shows it: the caller's own. outside.Ask."""
        found = entry.document()
        if self.row is self.stored and self.row.custom is None:
            return found
        return self.views.document(self.row, found, self.answers)

    def storable(self, obj: Object) -> bytes:
        """The bytes to store of an object in the request's version. outside.Ask."""
        if self.row is self.stored:
            return codec.encode(obj)
        return codec.encode(self.views.storable(self.row, obj, self.answers))

    def rules(self) -> rules.Request:
        """The request, as the rules want to know it."""
        validation: Any = self.operation.field_validation or "Warn"
        return rules.Request(
            self.now, self.random, self.user, validation, self.version, self.repeated
        )

    def note(self, key: str, value: str) -> None:
        """An annotation of the request's audit events; what was said first counts."""
        if self.notes is None:
            self.notes = {}
        self.notes.setdefault(key, value)

    def settle(self) -> None:
        """The attempt is over."""
        settled, self.settled = self.settled, []
        for done in settled:
            done()


def document(entry: Entry, body: Any) -> Entry:
    """An answer that is not the object itself (a Status, a Scale), in the entry's place."""
    return Entry(entry.shape, entry.key, codec.document(body), entry.revision, entry.created)


def success(row: Resource, name: str, uid: str, code: int = 0) -> dict[str, Any]:
    """The metav1.Status that says Success, naming the object."""
    details: dict[str, Any] = {"name": name}
    if row.group:
        details["group"] = row.group
    details["kind"] = row.plural
    if uid:
        details["uid"] = uid
    body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    body["status"] = "Success"
    if code:
        body["code"] = code
    else:
        body["details"] = details
    return body
