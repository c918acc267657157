"""What a user should be warned of although it is valid: `Warning` headers.

One file a family of kinds, which exports `BY_RESOURCE`: by a resource's id a function of the new
object and the old one (None at a create). Sources: WarningsOnCreate and WarningsOnUpdate in
pkg/registry, pkg/api/*/warnings.go.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.api.warnings import customs, kinds, pods

Warner = Callable[[Object, Object | None], list[str]]

_BY_RESOURCE: Final[Mapping[str, Warner]] = {**kinds.BY_RESOURCE, **pods.BY_RESOURCE}
_MOST: Final = 100  # each is a header


def of(resource: Resource, new: Object, old: Object | None = None) -> tuple[str, ...]:
    """The warnings about an object that is to be stored, in place of `old` if that is given."""
    custom = resource.custom is not None
    warner = customs.finalizers if custom else _BY_RESOURCE.get(resource.id)
    if warner is None:
        return ()
    return tuple(warner(new, old)[:_MOST])
