"""What an API server serves, and what people call it: `po`, `deployments.apps`, `po,svc`, `all`."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from cluster.api import faults
from cluster.cli.restreads import Server

_DISCOVERY: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class UnknownKind(faults.Fault):
    """Nothing of that name is served; the message is one sentence."""


class Kind(NamedTuple):
    """A resource as discovery tells of it."""

    group: str
    version: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    categories: tuple[str, ...]
    namespaced: bool

    @property
    def path(self) -> str:
        """Where its group version is served."""
        if self.group:
            return f"/apis/{self.group}/{self.version}"
        return f"/api/{self.version}"

    @property
    def resource(self) -> str:
        """`deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def called(self, name: str) -> bool:
        """Whether people mean it by `pods`, `po`, `pod`, `deployments.apps`…"""
        plain, dot, group = name.lower().partition(".")
        if dot and group not in (self.group, f"{self.version}.{self.group}", self.version):
            return False
        return plain in (self.plural, self.singular, *self.short_names)

    def shown(self, name: str) -> str:
        """How one of its objects is written beside those of others: `deployment.apps/web`."""
        return f"{self.singular}.{self.group}/{name}" if self.group else f"{self.singular}/{name}"


def of(server: Server) -> list[Kind]:
    """All that can be listed, preferred versions first, as discovery has them.

    Raises what `Server.get` does.
    """
    groups = [*server.get("/api", _DISCOVERY)["items"], *server.get("/apis", _DISCOVERY)["items"]]
    return [
        Kind(
            (group.get("metadata") or {}).get("name") or "",
            version["version"],
            one["resource"],
            one.get("singularResource") or "",
            tuple(one.get("shortNames") or ()),
            tuple(one.get("categories") or ()),
            one.get("scope") == "Namespaced",
        )
        for group in groups
        for version in group.get("versions") or ()
        for one in version.get("resources") or ()
        if "list" in one.get("verbs", ())
    ]


def chosen(served: Sequence[Kind], said: str) -> list[Kind]:
    """The kinds that are meant by names with commas between; a category stands for all of its own.

    Each once, in the order in which they were said. UnknownKind.
    """
    return list(dict.fromkeys(kind for name in said.split(",") for kind in _meant(served, name)))


def _meant(served: Sequence[Kind], name: str) -> Iterable[Kind]:
    for kind in served:
        if kind.called(name):
            return (kind,)
    found: dict[tuple[str, str], Kind] = {}
    for kind in served:
        if name.lower() in kind.categories:
            found.setdefault((kind.group, kind.plural), kind)  # not each version
    if not found:
        # Also of the past only what is served now can be read: a definition may be gone.
        raise UnknownKind(f'the server doesn\'t have a resource type "{name}"')
    return found.values()
