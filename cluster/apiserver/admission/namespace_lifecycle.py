"""NamespaceLifecycle: nothing is created where there is no namespace, or where it is going away."""

from typing import ClassVar

from cluster.api import errors, objects
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.events import Event

_IMMORTAL = ("default", "kube-system", "kube-public", "kube-node-lease")


class NamespaceLifecycle(Plugin):
    """Refuses creates in missing and terminating namespaces, and the end of the system's own."""

    name: ClassVar[str] = "NamespaceLifecycle"

    def __init__(self) -> None:
        self._terminating: dict[str, bool] = {}

    def open(self, cache: WatchCache) -> None:
        """Follow the namespaces."""
        cache.of("namespaces").observe(self._follow)

    def heeds_renewals(self) -> bool:
        """It looks at creates and deletes."""
        return False

    def mutate(self, request: Request) -> None:
        """errors.NotFound, errors.Forbidden."""
        row = request.row
        if request.act is Act.DELETE and row.id == "namespaces":
            if objects.name(request.object) in _IMMORTAL:
                name = objects.name(request.object)
                raise errors.forbidden(row.id, name, "this namespace may not be deleted")
            return
        if request.act is not Act.CREATE or not row.namespaced:
            return
        namespace = request.call.namespace
        terminating = self._terminating.get(namespace)
        if terminating is None:
            raise errors.not_found("namespaces", namespace)
        if terminating:
            raise self._terminates(request, namespace)
        if request.call.tenures is not None:
            # Another server may be about to end it: then nothing is to be left in it.
            found = request.cache.get("namespaces", "", namespace)
            if found is not None:
                request.call.guard(found.key, found.revision)

    def _terminates(self, request: Request, namespace: str) -> errors.Forbidden:
        metadata = request.object.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else ""
        why = (
            f"unable to create new content in namespace {namespace} because it is being terminated"
        )
        refusal = errors.forbidden(request.row.id, str(name or ""), why)
        refusal.details["causes"] = [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
        ]
        return refusal

    def _follow(self, event: Event) -> None:
        if event.type == events.DELETED and event.previous is not None:
            self._terminating.pop(event.previous.name, None)
        elif event.entry is not None:
            obj = event.entry.document()
            going = objects.deleting(obj) or objects.status(obj).get("phase") == "Terminating"
            self._terminating[event.entry.name] = going
