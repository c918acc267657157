"""What extension servers have in a namespace, told by the discovery of each (APIServices).

As in Kubernetes, a server that cannot be asked holds up the end of the namespace: nobody knows what
it has there.
"""

from collections.abc import Iterable
from typing import Any

from cluster.api import conditions, errors, objects
from cluster.client.client import Client
from cluster.controllers.namespace.progress import Remains

SERVICES = "apiservices.apiregistration.k8s.io"
_NOT_BUILT = (
    "it is served by another server, whose objects this version of kubemu does not delete yet: "
    "delete them by hand"
)


def is_remote(service: objects.Object) -> bool:
    """Whether an APIService is another server's."""
    return bool(objects.spec(service).get("service"))


async def look(
    client: Client, services: Iterable[objects.Object], namespace: str, remains: Remains
) -> None:
    """Add what the servers of `services` have in a namespace to `remains`."""
    for service in sorted(filter(is_remote, services), key=objects.name):
        spec = objects.spec(service)
        place = f"{spec.get('group')}/{spec.get('version')}"
        if not conditions.is_true(service, "Available"):
            remains.undiscovered[place] = f"stale GroupVersion discovery: {place}"
            continue
        try:
            found = await client.read(f"/apis/{place}")
        except errors.StatusError as error:
            remains.undiscovered[place] = error.message
            continue
        for plural in _deletable(found.get("resources")):
            await _look_at(client, place, namespace, plural, remains)


def _deletable(resources: Any) -> list[str]:
    """The resources of a discovery document that a namespace's end is about. It is hostile."""
    found = []
    for each in resources if isinstance(resources, list) else ():
        if not isinstance(each, dict) or each.get("namespaced") is not True:
            continue
        name, verbs = each.get("name"), each.get("verbs")
        can = isinstance(verbs, list) and "delete" in verbs and "list" in verbs
        if can and isinstance(name, str) and "/" not in name:
            found.append(name)
    return found


async def _look_at(
    client: Client, place: str, namespace: str, plural: str, remains: Remains
) -> None:
    try:
        page = await client.read(f"/apis/{place}/namespaces/{namespace}/{plural}")
    except (errors.NotFound, errors.MethodNotAllowed):
        return
    except errors.StatusError as error:
        remains.failures.append(error.message)
        return
    items = page.get("items")
    if isinstance(items, list) and items:
        resource = f"{plural}.{place.partition('/')[0]}"
        remains.objects[resource] = len(items)
        remains.failures.append(f"{resource}: {_NOT_BUILT}")
