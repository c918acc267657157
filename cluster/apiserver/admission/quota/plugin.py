"""ResourceQuota: a namespace uses no more than its quotas allow, however many write at once.

Source: k8s.io/apiserver pkg/admission/plugin/resourcequota. A quota holds from the moment that it
is stored (in Kubernetes, from when its status has been written).
"""

from typing import Any, ClassVar, Final, Self

from cluster.api import objects
from cluster.api.quota import account, measuring, names, scopes
from cluster.api.quota.account import Account
from cluster.api.quota.measuring import Usage
from cluster.apiserver import codec, tenure
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.admission.quota.book import QUOTAS, Book, Books
from cluster.apiserver.admission.quota.limited import Limited
from cluster.apiserver.watchcache.cache import WatchCache

_GROWING: Final = ((names.CLAIMS, ""), (names.SERVICES, ""), (names.PODS, "resize"))
"""What may come to use more by an update: resource and subresource."""
_IGNORED: Final = ("events",)
"""What happens is told, quota or not."""
_NOBODY: Final[dict[str, Account]] = {}


class ResourceQuota(Plugin):
    """Refuses what exceeds a quota, and reserves what does not until it is written."""

    name: ClassVar[str] = "ResourceQuota"

    def __init__(self, *limited: Limited) -> None:
        self.books = Books()
        self._limited = limited

    @classmethod
    def configured(cls, document: Any) -> Self:
        """By a resourcequota Configuration (apiserver.config.k8s.io). ValueError."""
        listed = (document or {}).get("limitedResources") or []
        if not isinstance(listed, list):
            raise ValueError("ResourceQuota: limitedResources is a list")  # noqa: TRY004
        return cls(*(Limited.of(each) for each in listed))

    def open(self, cache: WatchCache) -> None:
        """Follow quotas and what they count."""
        self.books.open(cache)

    def heeds_renewals(self) -> bool:
        """An update of a lease uses no more than before."""
        return False

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        book = self.books.by_namespace.get(request.call.namespace)
        if book is None and not self._limited:
            return
        resource = request.call.stored.id
        if resource in _IGNORED:
            return
        if request.act is Act.CREATE:
            if request.subresource:
                return
        elif request.act is not Act.UPDATE or (resource, request.subresource) not in _GROWING:
            return
        self._admit(request, book, resource)

    def _admit(self, request: Request, book: Book | None, resource: str) -> None:
        usage = measuring.of(resource, request.object)
        if book is not None:
            book.sweep(request.call.now)
        accounts = book.accounts if book is not None else _NOBODY
        concerned = [found for found in accounts.values() if found.concerns(resource, usage)]
        for found in concerned:
            if usage.silent and not usage.silent.isdisjoint(found.counts[resource]):
                why = account.missing(found.counts[resource], request.object)
                if why:
                    raise request.forbidden(f"failed quota: {found.name}: {why}")
        added = _added(request, resource, usage)
        if not added.amounts:
            return
        if self._limited:
            self._check_limited(request, resource, usage, list(accounts.values()), concerned)
        for found in concerned:
            _check(request, found, resource, added)
        if concerned and book is not None:
            # Only one of several servers at a time: its book is whole.
            tenure.decide(request.call, f"{QUOTAS}/{request.call.namespace}")
            name = objects.name(request.object)
            key = codec.key(resource, request.call.namespace, name)
            uid = objects.uid(request.object) if added is usage else ""
            request.call.settled.append(book.reserve(key, resource, added, uid))

    def _check_limited(
        self,
        request: Request,
        resource: str,
        usage: Usage,
        accounts: list[Account],
        concerned: list[Account],
    ) -> None:
        """What is allowed only where a quota covers it."""
        covered = {name for found in concerned for name in found.counts[resource]}
        bare = {
            name
            for each in self._limited
            if each.resource == resource
            for name, amount in usage.amounts.items()
            if amount > 0 and each.limits(name) and name not in covered
        }
        if bare:
            raise request.forbidden(f"insufficient quota to consume: {','.join(sorted(bare))}")
        wanted = [
            term
            for each in self._limited
            for term in each.terms
            if scopes.meets(term, resource, usage.facts)
        ]
        held = {
            term.scope
            for found in accounts
            for term in found.terms
            if scopes.meets(term, resource, usage.facts)
        }
        missing = [term for term in wanted if term.scope not in held]
        if missing:
            shown = " ".join(str(term) for term in missing)
            raise request.forbidden(f"insufficient quota to match these scopes: [{shown}]")


def _added(request: Request, resource: str, usage: Usage) -> Usage:
    """What the write adds to what is used already."""
    if request.old is None:
        return usage
    before = measuring.of(resource, request.old).amounts
    more = {name: amount - before.get(name, 0) for name, amount in usage.amounts.items()}
    return usage._replace(amounts={name: amount for name, amount in more.items() if amount > 0})


def _check(request: Request, found: Account, resource: str, added: Usage) -> None:
    over = {
        name: more
        for name, more in found.share(resource, added)
        if found.used[name] + found.reserved[name] + more > found.hard[name]
    }
    if not over:
        return
    used = {name: found.taken(name) for name in over}
    names = [*over]
    raise request.forbidden(
        f"exceeded quota: {found.name}, requested: {found.listed(names, over)}, used: "
        f"{found.listed(names, used)}, limited: {found.listed(names, found.hard)}"
    )
