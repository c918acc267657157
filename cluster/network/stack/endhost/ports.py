"""Who has which port, at which of a host's addresses: the rules of bind(2)."""

import errno
import os
import random
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from cluster.network.stack.endhost.settings import EPHEMERAL
from cluster.network.stack.endpoint import Endpoint

T = TypeVar("T")


class Ports(Generic[T]):
    """The bound ports of one protocol. The address 0 stands for all."""

    def __init__(self, generator: random.Random, most: int = 4096) -> None:
        self._bound: dict[int, dict[int, T]] = {}
        first, last = EPHEMERAL
        self._next = generator.randint(first, last)
        self._most = most

    def __contains__(self, port: int) -> bool:
        return port in self._bound

    def __iter__(self) -> Iterator[T]:
        for bound in self._bound.values():
            yield from bound.values()

    def bind(self, local: Endpoint, owner: T) -> None:
        """Take a port. OSError EADDRINUSE, EINVAL, EMFILE."""
        if not 0 < local.port < 65536:
            raise error(errno.EINVAL)
        taken = self._bound.get(local.port)
        if taken and (local.address == 0 or 0 in taken or local.address in taken):
            raise error(errno.EADDRINUSE)
        if len(self._bound) >= self._most:
            raise error(errno.EMFILE)
        self._bound.setdefault(local.port, {})[local.address] = owner

    def free(self, local: Endpoint, owner: T) -> None:
        """Give a port back."""
        bound = self._bound.get(local.port)
        if bound is not None and bound.get(local.address) is owner:
            del bound[local.address]
            if not bound:
                del self._bound[local.port]

    def find(self, address: int, port: int) -> T | None:
        """Who has a port at an address; the address itself goes before all addresses."""
        bound = self._bound.get(port)
        return (bound.get(address) or bound.get(0)) if bound else None

    def ephemeral(self, usable: Callable[[int], bool]) -> int:
        """A port that nobody has and that is `usable`. OSError EADDRINUSE."""
        first, last = EPHEMERAL
        for _ in range(last - first + 1):
            port = self._next
            self._next = port + 1 if port < last else first
            if port not in self._bound and usable(port):
                return port
        raise error(errno.EADDRINUSE)


def error(number: int) -> OSError:
    """The OSError of an errno, of the class that Python gives it."""
    return OSError(number, os.strerror(number))
