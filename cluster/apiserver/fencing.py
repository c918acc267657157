"""Writes of a leader are refused once it leads no longer, however late they come.

A leader that was stopped for longer than its lease knows nothing of that when it goes on. Its
writes say by which lease it leads (`operations.Fence`); they are made only while that Lease names
it as its holder, in the term in which it was acquired. With several servers on one store the
Lease's revision guards the write, so no other server can have given it to somebody else meanwhile.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from cluster.api import errors
from cluster.apiserver import codec

if TYPE_CHECKING:
    from cluster.api.operations import Fence
    from cluster.apiserver.plan import Call
    from cluster.apiserver.planner import Job
    from cluster.apiserver.watchcache.entry import Entry

LEASES: Final = "leases.coordination.k8s.io"
_KEPT: Final = 64


class _Spec(msgspec.Struct):
    holderIdentity: str | None = None
    leaseTransitions: int | None = None


class _Lease(msgspec.Struct):
    spec: _Spec | None = None


_decode = msgspec.json.Decoder(_Lease).decode
_known: Final[dict[str, tuple["Entry", _Spec]]] = {}


def check(job: "Job", call: "Call") -> None:
    """errors.Conflict where the writer's lease is not its own any more.

    The lease itself is written by compare-and-set: its writes need no fence.
    """
    fence = call.operation.fence
    if fence is None:
        return
    key = codec.key(LEASES, fence.namespace, fence.name)
    if job.key == key:
        return
    entry = call.cache.of(LEASES).get(key)
    if entry is None:
        raise _refused(job, fence, "is gone")
    spec = _spec(entry)
    if spec.holderIdentity != fence.identity:
        holder = f'is held by "{spec.holderIdentity}"' if spec.holderIdentity else "is held by none"
        raise _refused(job, fence, holder)
    if (spec.leaseTransitions or 0) != fence.transitions:
        raise _refused(job, fence, f"is in its term {spec.leaseTransitions or 0}")
    if call.tenures is not None:
        call.guard(key, entry.revision)


def _spec(entry: "Entry") -> _Spec:
    held = _known.get(entry.key)
    if held is not None and held[0] is entry:
        return held[1]
    spec = _decode(entry.json).spec or _Spec()
    if len(_known) >= _KEPT:
        del _known[next(iter(_known))]
    _known[entry.key] = (entry, spec)
    return spec


def _refused(job: "Job", fence: "Fence", what: str) -> errors.Conflict:
    name = job.operation.name or job.row.kind
    return errors.conflict(
        job.row.id,
        name,
        f'the writer led by lease {fence.namespace}/{fence.name} as "{fence.identity}" in its term '
        f"{fence.transitions}, but the lease {what} now",
    )
