"""What is decided about revisions: their order, which of them is the present one, which may go."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cluster.api import objects
from cluster.controllers.history import naming, snapshot

DEFAULT_LIMIT = 10
"""spec.revisionHistoryLimit where none is given (the API server gives it)."""


@dataclass(frozen=True, slots=True)
class Keep:
    """The newest revision is the present one already."""

    revision: objects.Object


@dataclass(frozen=True, slots=True)
class Renumber:
    """An older revision is the present one again: it gets the next number."""

    revision: objects.Object
    number: int


@dataclass(frozen=True, slots=True)
class Create:
    """There is no such revision yet; it gets this number."""

    number: int


Choice = Keep | Renumber | Create


def number(revision: objects.Object) -> int:
    """Its `revision`, which counts up from 1."""
    return int(revision.get("revision") or 0)


def ordered(revisions: Iterable[objects.Object]) -> list[objects.Object]:
    """Oldest first: by number, then by creation, then by name."""
    return sorted(
        revisions,
        key=lambda one: (
            number(one),
            objects.meta(one).get("creationTimestamp") or "",
            objects.name(one),
        ),
    )


def next_number(revisions: Sequence[objects.Object]) -> int:
    """The number of the revision that comes after these, which are in order."""
    return number(revisions[-1]) + 1 if revisions else 1


def same(revision: objects.Object, data: objects.Object) -> bool:
    """Whether a revision holds this data."""
    return bool(revision.get("data") == data)


def choose(revisions: Sequence[objects.Object], data: objects.Object) -> Choice:
    """How the revision with this data, the owner's present state, comes about.

    `revisions` are in order. A state that comes back keeps its revision, which then is the newest.
    """
    equal = [one for one in revisions if same(one, data)]
    if not equal:
        return Create(next_number(revisions))
    if equal[-1] is revisions[-1]:
        return Keep(equal[-1])
    return Renumber(equal[-1], next_number(revisions))


def new(
    owner: objects.Object,
    reference: objects.Object,
    data: objects.Object,
    *,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    number: int,
    collisions: int | None = None,
    hashed: tuple[str, str] | None = None,
) -> objects.Object:
    """A revision of `owner`, named by the hash of its data, to be created.

    `labels` are the template's; the label with the hash is added. `hashed` gives another label and
    hash, for an owner that makes its own (DaemonSets do) of the template and its collisions.
    """
    label, value = hashed or (
        naming.LABEL,
        naming.hashed(snapshot.encoded(data), collisions),
    )
    metadata: objects.Object = {
        "name": naming.name(objects.name(owner), value),
        "namespace": objects.namespace(owner),
        "labels": {**labels, label: value},
        "ownerReferences": [reference],
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": data,
        "revision": number,
    }


def surplus(
    revisions: Sequence[objects.Object], live: Collection[str], limit: int | None
) -> list[objects.Object]:
    """The revisions beyond `limit` of those that are not `live` (names), oldest first.

    `revisions` are in order. Live ones neither go nor count. A negative limit keeps all, and None
    is Kubernetes' default of ten.
    """
    keep = DEFAULT_LIMIT if limit is None else limit
    if keep < 0:
        return []
    dead = [one for one in revisions if objects.name(one) not in live]
    return dead[: max(0, len(dead) - keep)]
