"""Who follows this API server now: users by the watches that they have open, of the components'.

It is how the server can tell that a scheduler or a controller manager is there, also where these do
not elect a leader.
"""

from collections.abc import Callable

from cluster.api import identity


class Presence:
    """Counts open watches by user name; who has none takes no room."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    def enter(self, user: identity.User) -> Callable[[], None]:
        """A watch of this user has begun; call the answer once, at its end."""
        name = user.name
        self._open[name] = self._open.get(name, 0) + 1

        def leave() -> None:
            left = self._open[name] - 1
            if left:
                self._open[name] = left
            else:
                del self._open[name]

        return leave

    def watches(self, name: str) -> bool:
        """Whether a user of this name has a watch open."""
        return name in self._open
