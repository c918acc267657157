"""Without priority and fairness: so many requests at a time, and no more (--max-requests-inflight).

As in kube-apiserver, nobody waits, and administrators are never turned away.
"""

from cluster.api import identity
from cluster.apiserver.fairness.gate import too_many

_MUTATING = ("create", "update", "patch", "delete", "deletecollection")


class Bounds:
    """Lets `reading` and `mutating` requests in at a time; 0: any number."""

    def __init__(self, reading: int, mutating: int) -> None:
        self._limits = {False: reading, True: mutating}
        self._inside = {False: 0, True: 0}

    def enter(
        self,
        user: identity.User,
        verb: str,
        resource: str,
        namespace: str,
        subresource: str,
    ) -> "Place":
        """A place, at once. errors.TooManyRequests."""
        mutating = verb in _MUTATING
        limit = self._limits[mutating]
        if limit and self._inside[mutating] >= limit and identity.MASTERS not in user.groups:
            raise too_many()
        self._inside[mutating] += 1
        return Place(self._inside, mutating)


class Place:
    """A Ticket that never waits."""

    __slots__ = ("_inside", "_mutating", "_released")
    headers: tuple[tuple[str, str], ...] = ()
    pending = False

    def __init__(self, inside: dict[bool, int], mutating: bool) -> None:
        self._inside = inside
        self._mutating = mutating
        self._released = False

    async def wait(self) -> None:
        """At once."""

    def release(self) -> None:
        """Somebody else may have it."""
        if not self._released:
            self._released = True
            self._inside[self._mutating] -= 1
