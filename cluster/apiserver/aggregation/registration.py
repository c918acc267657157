"""An APIService for each group version that this server serves itself, as kube-apiserver keeps it.

Those of the built-in groups are made at the start; those of custom resources come and go with their
definitions.
"""

import msgspec

from cluster.api import conditions, errors, objects
from cluster.api.objects import Object
from cluster.api.operations import Operation, Verb
from cluster.apiserver import bootstrap
from cluster.apiserver.aggregation import services
from cluster.apiserver.aggregation.services import GroupVersion
from cluster.apiserver.registry import Registry

_CONDITION = {
    "type": "Available",
    "status": "True",
    "reason": "Local",
    "message": "Local APIServices are always available",
}
_encode = msgspec.json.Encoder().encode


async def keep(registry: Registry) -> list[errors.StatusError]:
    """Make what is missing, and take away what custom resources left behind; what went wrong."""
    served = _served(registry)
    present = {
        entry.name: entry.document() for entry in (await registry.list(services.RESOURCE)).items
    }
    wanted = {
        f"{version}.{group}": services.local(group, version, custom=custom)
        for (group, version), custom in served.items()
    }
    creations = [obj for name, obj in wanted.items() if name not in present]
    batch = [
        Operation(Verb.CREATE, services.RESOURCE, name=objects.name(obj), body=_encode(obj))
        for obj in creations
    ]
    batch += [
        Operation(Verb.DELETE, services.RESOURCE, name=name)
        for name, obj in present.items()
        if name not in wanted and _left(obj)
    ]
    results = await registry.write(batch, bootstrap.USER)
    failures = [result for result in results if isinstance(result, errors.StatusError)]
    return failures + await _say_available(registry, wanted)


def _served(registry: Registry) -> dict[GroupVersion, bool]:
    """The group versions of this server's own, and whether they are of custom resources."""
    found: dict[GroupVersion, bool] = {}
    for row in registry.table:
        if not row.remote:
            place = (row.group, row.version)
            found[place] = found.get(place, True) and row.custom is not None
    return found


def _left(obj: Object) -> bool:
    return objects.labels(obj).get(services.MANAGED) == "true"


async def _say_available(registry: Registry, wanted: dict[str, Object]) -> list[errors.StatusError]:
    batch: list[Operation] = []
    for entry in (await registry.list(services.RESOURCE)).items:
        obj = entry.document()
        if entry.name not in wanted or objects.spec(obj).get("service"):
            continue
        status = obj.setdefault("status", {})
        if conditions.put(status.setdefault("conditions", []), _CONDITION, registry.clock.now()):
            body = _encode(obj)
            batch.append(
                Operation(
                    Verb.UPDATE, services.RESOURCE, name=entry.name, subresource="status", body=body
                )
            )
    results = await registry.write(batch, bootstrap.USER)
    return [
        result
        for result in results
        # Somebody else wrote at the same time: the next round sees to it.
        if isinstance(result, errors.StatusError)
        and not isinstance(result, errors.Conflict | errors.NotFound)
    ]
