"""Who owns whom, over all resources, and what to look at after each change.

A node is an object as far as ownership is concerned. An owner that was named but never seen is a
*virtual* node: it is looked up before anything is done about its dependents.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cluster.api import objects

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Identity:
    """An object by what an owner reference tells of it, and its namespace."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner reference as the graph keeps it."""

    uid: str
    api_version: str
    kind: str
    name: str
    blocking: bool


@dataclass(slots=True)
class Node:
    """An object of the graph. `dependents` is in the order in which they were seen."""

    identity: Identity
    owners: tuple[Owner, ...] = ()
    dependents: dict[str, "Node"] = field(default_factory=dict)
    virtual: bool = False
    being_deleted: bool = False
    deleting_dependents: bool = False
    orphaning: bool = False
    resource: str = ""
    """The resource whose informer holds it; "" while virtual."""

    def blocking_dependents(self) -> list["Node"]:
        """Dependents that must be gone before this object goes in the foreground."""
        return [
            dependent
            for dependent in self.dependents.values()
            if any(o.uid == self.identity.uid and o.blocking for o in dependent.owners)
        ]


@dataclass(slots=True)
class Work:
    """Uids to look at: whether to delete them, or to orphan their dependents.

    `misplaced` are references (dependent, owner) to an owner that is in another namespace.
    """

    delete: dict[str, None] = field(default_factory=dict)
    orphan: dict[str, None] = field(default_factory=dict)
    misplaced: dict[tuple[str, str], None] = field(default_factory=dict)


class Graph:
    """The owner graph. Each method takes a change and returns the work that it makes."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def get(self, uid: str) -> Node | None:
        """The node of this uid."""
        return self._nodes.get(uid)

    def __len__(self) -> int:
        return len(self._nodes)

    def observe(self, resource: str, obj: objects.Object, api_version: str, kind: str) -> Work:
        """An object of `resource` was seen, new or changed."""
        work = Work()
        uid = objects.uid(obj)
        owners = owners_of(obj)
        node = self._nodes.get(uid)
        if node is None:
            identity = Identity(api_version, kind, objects.namespace(obj), objects.name(obj), uid)
            node = self._nodes[uid] = Node(identity)
            self._attach(node, owners, work)
        elif node.owners != owners:
            self._change_owners(node, owners, work)
        if node.virtual or not node.resource:
            # What its dependents said of it may have been wrong: the object itself is right.
            node.identity = Identity(
                api_version, kind, objects.namespace(obj), objects.name(obj), uid
            )
            node.virtual = False
            node.resource = resource
            if _misnamed(node):
                work.delete.update(dict.fromkeys(node.dependents))
                work.misplaced.update(
                    dict.fromkeys(
                        (each.identity.uid, uid)
                        for each in node.dependents.values()
                        if not _reachable(node.identity, each.identity)
                    )
                )
        self._note_deletion(node, obj, work)
        return work

    def forget(self, uid: str) -> Work:
        """The object is gone, or was looked up and never was."""
        work = Work()
        node = self._nodes.pop(uid, None)
        if node is None:
            return work
        node.dependents.pop(uid, None)  # an object may name itself
        for owner in node.owners:
            above = self._nodes.get(owner.uid)
            if above is None:
                continue
            above.dependents.pop(uid, None)
            if above.deleting_dependents:
                work.delete[owner.uid] = None
            elif above.virtual and not above.dependents:
                del self._nodes[owner.uid]
        work.delete.update(dict.fromkeys(node.dependents))
        if node.dependents:
            # They still name it: it stays as virtual until they are gone or changed.
            node.virtual, node.resource = True, ""
            node.owners = ()
            node.being_deleted = node.deleting_dependents = node.orphaning = False
            self._nodes[uid] = node
        return work

    def _attach(self, node: Node, owners: Iterable[Owner], work: Work) -> None:
        node.owners = tuple(owners)
        for owner in node.owners:
            above = self._nodes.get(owner.uid)
            if above is None:
                identity = Identity(
                    owner.api_version,
                    owner.kind,
                    node.identity.namespace,
                    owner.name,
                    owner.uid,
                )
                above = self._nodes[owner.uid] = Node(identity, virtual=True)
                work.delete[owner.uid] = None
            elif not above.virtual and not _names(owner, above.identity, node.identity):
                # The reference is wrong: looking at the dependent finds no such owner.
                work.delete[node.identity.uid] = None
                if not _reachable(above.identity, node.identity):
                    work.misplaced[node.identity.uid, owner.uid] = None
            above.dependents[node.identity.uid] = node
            if above.deleting_dependents:
                # It joined while its owner was already waiting for its dependents to go.
                work.delete[node.identity.uid] = None
                work.delete[owner.uid] = None

    def _change_owners(self, node: Node, owners: tuple[Owner, ...], work: Work) -> None:
        uid = node.identity.uid
        for owner in node.owners:
            if owner in owners:
                continue
            above = self._nodes.get(owner.uid)
            if above is None:
                continue
            if owner.blocking and above.deleting_dependents:
                # One less to wait for.
                work.delete[owner.uid] = None
            if all(kept.uid != owner.uid for kept in owners):
                above.dependents.pop(uid, None)
                if above.virtual and not above.dependents:
                    del self._nodes[owner.uid]
        self._attach(node, owners, work)
        work.delete[uid] = None

    def _note_deletion(self, node: Node, obj: objects.Object, work: Work) -> None:
        uid = node.identity.uid
        if not objects.deleting(obj):
            return
        finalizers = objects.meta(obj).get("finalizers") or ()
        node.being_deleted = True
        if ORPHAN in finalizers and not node.orphaning:
            node.orphaning = True
            work.orphan[uid] = None
        elif FOREGROUND in finalizers and not node.deleting_dependents:
            node.deleting_dependents = True
            work.delete.update(dict.fromkeys(node.dependents))
            work.delete[uid] = None


def owners_of(obj: objects.Object) -> tuple[Owner, ...]:
    """The owner references of an object, one for each uid."""
    found = {
        ref.get("uid", ""): Owner(
            ref.get("uid", ""),
            ref.get("apiVersion", ""),
            ref.get("kind", ""),
            ref.get("name", ""),
            bool(ref.get("blockOwnerDeletion")),
        )
        for ref in objects.meta(obj).get("ownerReferences") or ()
    }
    return tuple(found.values())


def _names(owner: Owner, actual: Identity, dependent: Identity) -> bool:
    """Whether a reference really names this object: kind and name, and a reachable namespace."""
    same_kind = owner.kind == actual.kind and _group(owner.api_version) == _group(
        actual.api_version
    )
    return same_kind and owner.name == actual.name and _reachable(actual, dependent)


def _reachable(owner: Identity, dependent: Identity) -> bool:
    """Whether an owner is where a dependent may name it: beside it, or in no namespace."""
    return owner.namespace in ("", dependent.namespace)


def _misnamed(node: Node) -> bool:
    return any(
        not _names(owner, node.identity, dependent.identity)
        for dependent in node.dependents.values()
        for owner in dependent.owners
        if owner.uid == node.identity.uid
    )


def _group(api_version: str) -> str:
    group, slash, _ = api_version.partition("/")
    return group if slash else ""
