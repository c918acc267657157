"""A pool of numbers that have at most one owner each: cluster IPs and node ports. Pure."""

from random import Random


class Taken(Exception):
    """The number belongs to someone else."""


class Full(Exception):
    """No number is left."""


class Pool:
    """Numbers from 0 to `size` - 1. `own` and `disown` follow what is stored; `reserve` and `pick`
    hold a number for a write under way until `release`.

    Numbers below `low` are picked only when no other is left: Kubernetes keeps them for people who
    choose their own (the lower band of a range).
    """

    def __init__(self, size: int, low: int = 0) -> None:
        self._size = size
        self._low = min(low, size - 1)
        self._owners: dict[int, str] = {}
        self._reserved: dict[int, str] = {}

    def own(self, number: int, owner: str) -> None:
        """`owner` has it now."""
        self._owners[number] = owner

    def disown(self, number: int, owner: str) -> None:
        """`owner` has it no longer."""
        if self._owners.get(number) == owner:
            del self._owners[number]

    def reserve(self, number: int, owner: str) -> None:
        """Hold one number for `owner`. Taken."""
        if self._owners.get(number, owner) != owner or number in self._reserved:
            raise Taken(number)
        self._reserved[number] = owner

    def pick(self, owner: str, random: Random) -> int:
        """Hold some free number for `owner`. Full."""
        span = self._size - self._low
        start = random.randrange(span)
        for step in range(span):
            number = self._low + (start + step) % span
            if self._free(number):
                self._reserved[number] = owner
                return number
        for number in range(self._low):
            if self._free(number):
                self._reserved[number] = owner
                return number
        raise Full

    def release(self, number: int) -> None:
        """The write that held it is over."""
        self._reserved.pop(number, None)

    def _free(self, number: int) -> bool:
        return number not in self._owners and number not in self._reserved
