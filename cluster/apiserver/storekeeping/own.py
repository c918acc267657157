"""What API servers keep in the store for themselves: who runs where, whose turn it is.

These are no objects, and they are about servers that run now: in a snapshot they would tell of
servers that are gone.
"""

from typing import Final

from cluster.apiserver import advertising, codec, tenure

_OWN: Final = tuple(codec.prefix(one) for one in (advertising.RESOURCE, tenure.RESOURCE))


def of_servers(key: str) -> bool:
    """Whether a key is of such a record."""
    return key.startswith(_OWN)
