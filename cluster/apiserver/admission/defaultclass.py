"""What DefaultIngressClass and DefaultStorageClass have in common: who names no class gets the
cluster's default one.
"""

from typing import ClassVar

from cluster.api import objects
from cluster.apiserver.admission import known
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache.cache import WatchCache


class DefaultClass(Plugin):
    """Sets `field` of the spec of what is created without it.

    `classes` is the resource of the classes, and `marks` are the annotations that make one the
    default. What has the annotation `old`, of the time before the field, has its class already.
    """

    classes: ClassVar[str]
    marks: ClassVar[tuple[str, ...]]
    field: ClassVar[str]
    old: ClassVar[str]

    def __init__(self) -> None:
        self._classes = known.Known(self.classes)

    def open(self, cache: WatchCache) -> None:
        """Follow the classes."""
        self._classes.open(cache)

    def mutate(self, request: Request) -> None:
        """Who says "" wants no class, and gets none."""
        if request.act is not Act.CREATE or request.subresource:
            return
        spec = request.object.setdefault("spec", {})
        if self.old in objects.annotations(request.object) or spec.get(self.field) is not None:
            return
        found = known.marked_default(self._classes, *self.marks)
        if found is not None:
            spec[self.field] = objects.name(found)
