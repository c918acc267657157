"""What the subresources of resources are: the kind each takes and gives, and its verbs.

Discovery and OpenAPI tell it, REST routes by it. A resource's row says which of them it serves.
"""

from dataclasses import dataclass

from cluster.api.resources import Resource


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource. Empty `kind`: it takes and gives the resource's own kind."""

    name: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""
    kind: str = ""

    def gvk(self, row: Resource) -> tuple[str, str, str]:
        """Group, version and kind of what it gives on `row`."""
        if not self.kind:
            return row.group, row.version, row.kind
        return self.group, self.version, self.kind


_CHANGE = ("get", "patch", "update")
_STREAM = ("create", "get")
_KNOWN: tuple[Subresource, ...] = (
    Subresource("status", _CHANGE),
    Subresource("scale", _CHANGE, "autoscaling", "v1", "Scale"),
    Subresource("finalize", ("update",)),
    Subresource("binding", ("create",), "", "v1", "Binding"),
    Subresource("eviction", ("create",), "policy", "v1", "Eviction"),
    Subresource("ephemeralcontainers", _CHANGE),
    Subresource("resize", _CHANGE),
    Subresource("log", ("get",)),
    Subresource("exec", _STREAM, "", "v1", "PodExecOptions"),
    Subresource("attach", _STREAM, "", "v1", "PodAttachOptions"),
    Subresource("portforward", _STREAM, "", "v1", "PodPortForwardOptions"),
    Subresource("token", ("create",), "authentication.k8s.io", "v1", "TokenRequest"),
    Subresource("approval", _CHANGE),
)
_BY_NAME = {known.name: known for known in _KNOWN}
_PROXY_VERBS = ("create", "delete", "get", "patch", "update")


def of(row: Resource, name: str) -> Subresource | None:
    """The subresource that `row` serves by this name, or None."""
    if name not in row.subresources:
        return None
    if name == "proxy":
        return Subresource("proxy", _PROXY_VERBS, "", "v1", f"{row.kind}ProxyOptions")
    return _BY_NAME.get(name)
