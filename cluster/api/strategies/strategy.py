"""What a kind's strategy is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.api import identity, metadata, objectmeta
from cluster.api.objects import Object


@dataclass(frozen=True, slots=True)
class Strategy:
    """What happens to an object of one resource before it is validated and stored.

    `generations`: whether metadata.generation counts changes of what is wanted; None: if there is
    a status subresource. `empty_status` is the status of a new object; with `status_at_create` its
    creator says it. `status_keeps` is metadata that `/status` may not write.

    `on_create(obj)`, `on_update(old, new)` and `on_status(old, new)` change the new object in
    place. `on_other` has the like for further subresources, by name; there `new` is the whole
    object as the request would have it. `by_user(obj, user)` writes down who makes an object;
    `stamps(old, new, now)` puts times into what a subresource writes, without changing what that
    shares with the old object. `create_on_update`: a PUT of an object that is not there
    makes it. `unconditional`: an update need not name a resourceVersion. `orphans`: what an object
    of it owns outlives it, unless whoever deletes it says otherwise.
    """

    name_rule: objectmeta.NameRule = metadata.dns1123_subdomain
    generations: bool | None = None
    empty_status: Mapping[str, Any] = field(default_factory=dict)
    status_at_create: bool = False
    status_keeps: tuple[str, ...] = ()
    on_create: Callable[[Object], None] | None = None
    on_update: Callable[[Object, Object], None] | None = None
    on_status: Callable[[Object, Object], None] | None = None
    on_other: Mapping[str, Callable[[Object, Object], None]] = field(default_factory=dict)
    by_user: Callable[[Object, identity.User], None] | None = None
    stamps: Callable[[Object, Object, float], None] | None = None
    create_on_update: bool = False
    unconditional: bool = True
    orphans: bool = False


PLAIN = Strategy()
"""The strategy of a kind that needs nothing special."""
