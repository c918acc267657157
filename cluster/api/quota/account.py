"""One quota and what is used of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.quota import measuring, names, scopes
from cluster.api.quota.measuring import Usage

Share = tuple[tuple[str, int], ...]
"""Names that a quota counts, and how much an object uses of each."""
_REMEMBERED: Final = 1024


class Account:
    """What a ResourceQuota allows (`hard`), what is `used` of it, and what is `reserved` for writes
    under way; amounts as measured.

    `counts` are the names that it counts, by the resource of whose objects they are.
    """

    def __init__(self, quota: Object) -> None:
        self.name = objects.name(quota)
        self.spec = objects.spec(quota)
        self.hard: dict[str, int] = {}
        self.texts: dict[str, str] = self.spec.get("hard") or {}
        self.used: dict[str, int] = {}
        self.reserved: dict[str, int] = {}
        self.counts: dict[str, tuple[str, ...]] = {}
        self.terms = scopes.terms(self.spec)
        self._binary: dict[str, None] = {}
        self._shares: dict[int, tuple[Usage, Share]] = {}
        for name, text in self.texts.items():
            self.hard[name] = measuring.amount(name, text)
            self.used[name] = self.reserved[name] = 0
            resource = names.counted_of(name)
            self.counts[resource] = (*self.counts.get(resource, ()), name)

    def concerns(self, resource: str, usage: Usage) -> bool:
        """Whether an object is held against this quota."""
        if resource not in self.counts:
            return False
        return not self.terms or scopes.match(self.terms, resource, usage.facts)

    def share(self, resource: str, usage: Usage) -> Share:
        """What of an object's usage this quota counts; empty where it does not concern it.

        Remembered by the very usage: objects that are alike share one.
        """
        known = self._shares.get(id(usage))
        if known is not None and known[0] is usage:
            return known[1]
        found: Share = ()
        if self.concerns(resource, usage):
            amounts = usage.amounts
            found = tuple((n, amounts[n]) for n in self.counts[resource] if amounts.get(n))
        if len(self._shares) >= _REMEMBERED:
            self._shares.clear()
        self._shares[id(usage)] = (usage, found)
        return found

    def add(self, resource: str, usage: Usage) -> None:
        """An object has come."""
        used = self.used
        for name, amount in self.share(resource, usage):
            used[name] += amount
            if name in usage.binary:
                self._binary[name] = None

    def remove(self, resource: str, usage: Usage) -> None:
        """An object has gone."""
        used = self.used
        for name, amount in self.share(resource, usage):
            used[name] -= amount

    def hold(self, resource: str, usage: Usage, sign: int = 1) -> None:
        """An object is about to come, or (`sign` -1) is no longer about to."""
        reserved = self.reserved
        for name, amount in self.share(resource, usage):
            reserved[name] += sign * amount

    def taken(self, name: str) -> int:
        """What is used, or about to be."""
        return self.used[name] + self.reserved[name]

    def text(self, name: str, amount: int) -> str:
        """An amount as this quota writes it."""
        binary = name in self._binary or self.texts.get(name, "").endswith("i")
        return measuring.text(name, amount, binary=binary)

    def status_used(self) -> dict[str, str]:
        """What status.used should say."""
        return {name: self.text(name, amount) for name, amount in self.used.items()}

    def listed(self, names: Sequence[str], amounts: Mapping[str, int]) -> str:
        """`cpu=1,pods=3`, in the order of the names."""
        return ",".join(f"{name}={self.text(name, amounts[name])}" for name in sorted(names))


def counted(quota: Object, present: Iterable[tuple[str, Usage]]) -> Account:
    """The account of a quota, when these objects are there (with the resource of each)."""
    account = Account(quota)
    for resource, usage in present:
        account.add(resource, usage)
    return account


def missing(hard: Iterable[str], pod: Object) -> str:
    """What containers must say where a quota of these names holds: `must specify limits.cpu for:
    a,b; …`, or "" where all say it.
    """
    required = sorted(names.REQUIRED.intersection(hard))
    if not required:
        return ""
    spec = objects.spec(pod)
    by_pod = measuring.said_by(spec)
    lines = []
    for name in required:
        if name in by_pod:
            continue
        silent = {
            container.get("name") or ""
            for kind in ("containers", "initContainers")
            for container in spec.get(kind) or ()
            if name not in measuring.said_by(container)
        }
        if silent:
            lines.append(f"{name} for: {','.join(sorted(silent))}")
    return f"must specify {'; '.join(lines)}" if lines else ""
