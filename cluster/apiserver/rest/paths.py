"""From a request's path to what it names. Pure.

Grammar: `/api/v1/…` and `/apis/GROUP/VERSION/…`, then `[namespaces/NS/]PLURAL[/NAME[/SUB[/TAIL]]]`,
as k8s.io/apiserver/pkg/endpoints/request parses it; a `watch/` before the rest is the old way to
ask for a watch.
"""

from typing import NamedTuple
from urllib.parse import unquote

from cluster.api import errors
from cluster.api.resources import Resource, Table

NOT_FOUND = "the server could not find the requested resource"
_NAMESPACE_PARTS = ("status", "finalize")


class Target(NamedTuple):
    """What a path names. `tail` is what follows a subresource (`proxy/metrics/x`: `metrics/x`)."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    tail: str = ""
    watch: bool = False


def parse(path: str, table: Table) -> Target | None:
    """The target of `path` (no query); None where it is no path of a resource at all.

    errors.NotFound where it looks like one, but nothing is served there.
    """
    parts = path.split("/")
    if len(parts) > 3 and parts[1] == "api":
        group, version, start = "", parts[2], 3
    elif len(parts) > 4 and parts[1] == "apis":
        group, version, start = parts[2], parts[3], 4
    else:
        return None
    rest = parts[start:]
    if "%" in path:
        rest = [unquote(part) for part in rest]
    if rest[-1] == "":
        rest.pop()
    if not rest:
        return None
    watch = rest[0] == "watch"
    return _target(table, group, version, rest[1:] if watch else rest, watch)


def _target(table: Table, group: str, version: str, rest: list[str], watch: bool) -> Target:
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in _NAMESPACE_PARTS:
        namespace, rest = rest[1], rest[2:]
        if not namespace:
            raise errors.NotFound(NOT_FOUND)
    if not rest or "" in rest[:3]:
        raise errors.NotFound(NOT_FOUND)
    row = table.at(group, version, rest[0])
    if row is None or (namespace and not row.namespaced):
        raise errors.NotFound(NOT_FOUND)
    name, subresource = (*rest[1:3], "", "")[:2]
    if name and row.namespaced and not namespace:
        raise errors.NotFound(NOT_FOUND)
    return Target(row, namespace, name, subresource, "/".join(rest[3:]), watch)
