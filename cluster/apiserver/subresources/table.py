"""The subresources that the registry itself serves, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cluster.api.operations import Operation
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.plan import Call, Plan
from cluster.apiserver.subresources import binding, eviction, finalize, scale, status, token
from cluster.apiserver.watchcache.entry import Entry

Planner = Callable[[Call, Chain], Plan | Entry]


@dataclass(frozen=True, slots=True)
class Subresource:
    """What a subresource can do; None: it does not have that verb.

    A planner answers with an entry where nothing has to be written. `prepare` gives the operation
    and what plans its creates, for a subresource that takes several steps.
    """

    get: Callable[[Entry], Entry] | None = None
    create: Planner | None = None
    update: Planner | None = None
    patch: Planner | None = None
    prepare: Callable[[Operation], tuple[Operation, Planner]] | None = None


SUBRESOURCES: Mapping[str, Subresource] = {
    "approval": Subresource(status.get, update=status.update, patch=status.patch),
    "binding": Subresource(create=binding.create),
    "ephemeralcontainers": Subresource(status.get, update=status.update, patch=status.patch),
    "eviction": Subresource(prepare=eviction.prepare),
    "finalize": Subresource(update=finalize.update),
    "resize": Subresource(status.get, update=status.update, patch=status.patch),
    "scale": Subresource(scale.get, update=scale.update, patch=scale.patch),
    "token": Subresource(create=token.create),
    "status": Subresource(status.get, update=status.update, patch=status.patch),
}
