"""What can be done at which path: the operations of a group version, in no document's form yet."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.api import discovery, schema, subresources
from cluster.api.crd import openapi as custom
from cluster.api.openapi import connections
from cluster.api.openapi.model import Gvk, Operation, Parameter
from cluster.api.resources import Resource, Table
from cluster.api.subresources import Subresource

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
STATUS = f"{META}.Status"
PATCH = f"{META}.Patch"
DELETE_OPTIONS = f"{META}.DeleteOptions"

_PRETTY = Parameter("pretty", "string", "If 'true', the answer is indented.")
_DRY_RUN = Parameter(
    "dryRun", "string", "'All': do everything but store the result. Nothing else is valid."
)
_MANAGER = Parameter("fieldManager", "string", "Who makes the change: a name of 128 bytes at most.")
_VALIDATION = Parameter(
    "fieldValidation",
    "string",
    "What becomes of unknown and duplicate fields: Ignore drops them, Warn drops them and says so, "
    "Strict refuses the request.",
)
_FORCE = Parameter("force", "boolean", "Take over fields that other managers have applied.")
_WRITE = (_PRETTY, _DRY_RUN, _MANAGER, _VALIDATION)
_LIST = (
    _PRETTY,
    Parameter("allowWatchBookmarks", "boolean", "Whether a watch may send BOOKMARK events."),
    Parameter("continue", "string", "The token of the page before."),
    Parameter("fieldSelector", "string", "Only objects whose fields match."),
    Parameter("labelSelector", "string", "Only objects whose labels match."),
    Parameter("limit", "integer", "At most so many objects in a page."),
    Parameter("resourceVersion", "string", "The revision to read at, or to watch from."),
    Parameter("resourceVersionMatch", "string", "How resourceVersion is meant."),
    Parameter("sendInitialEvents", "boolean", "Begin a watch with the present objects."),
    Parameter("timeoutSeconds", "integer", "End the request after so many seconds."),
    Parameter("watch", "boolean", "Send events as they happen in place of a list."),
)
_DELETE = (
    _PRETTY,
    _DRY_RUN,
    Parameter("gracePeriodSeconds", "integer", "Seconds until the object is removed; 0: at once."),
    Parameter("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    Parameter("propagationPolicy", "string", "Orphan, Background or Foreground."),
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a verb of a resource becomes. `on` is "many" or "one"; in `body` and `answer`, KIND and
    LIST stand for the resource's own definitions.
    """

    verb: str
    on: str
    method: str
    action: str
    prefix: str
    parameters: tuple[Parameter, ...]
    body: str
    answer: str


_KIND, _KIND_LIST = "KIND", "LIST"
_RULES = (
    _Rule("list", "many", "get", "list", "list", _LIST, "", _KIND_LIST),
    _Rule("list", "all", "get", "list", "list", _LIST, "", _KIND_LIST),
    _Rule("create", "many", "post", "post", "create", _WRITE, _KIND, _KIND),
    _Rule(
        "deletecollection", "many", "delete", "deletecollection", "deleteCollection",
        _LIST + _DELETE[1:], DELETE_OPTIONS, STATUS,
    ),
    _Rule("get", "one", "get", "get", "read", (_PRETTY,), "", _KIND),
    _Rule("update", "one", "put", "put", "replace", _WRITE, _KIND, _KIND),
    _Rule("patch", "one", "patch", "patch", "patch", (*_WRITE, _FORCE), PATCH, _KIND),
    _Rule("delete", "one", "delete", "delete", "delete", _DELETE, DELETE_OPTIONS, STATUS),
)  # fmt: skip


def of_group_version(table: Table, group: str, version: str, release: str) -> list[Operation]:
    """Every operation of a group version; `release` (`1.37`) chooses the schemas."""
    found: list[Operation] = []
    for row in discovery.rows(table, group, version):
        found += _of_resource(row, release)
    return found


def _of_resource(row: Resource, release: str) -> Iterator[Operation]:
    places = _places(row)
    known = {
        _KIND: _definition(row, (row.group, row.version, row.kind), release),
        _KIND_LIST: _definition(row, (row.group, row.version, row.list_kind), release),
    }
    gvk = (row.group, row.version, row.kind)
    for rule in _RULES:
        if rule.verb in row.verbs and rule.on in places:
            yield Operation(
                places[rule.on],
                rule.method,
                rule.action,
                _id(row, rule.prefix, everywhere=rule.on == "all"),
                gvk,
                rule.parameters,
                known.get(rule.body, rule.body),
                known.get(rule.answer, rule.answer),
                row.custom is None,
            )
    for name in sorted(row.subresources):
        sub = subresources.of(row, name)
        if sub is not None and connections.known(sub):
            yield from connections.of_subresource(row, sub, f"{places['one']}/{name}")
        elif sub is not None:
            yield from _of_subresource(row, sub, f"{places['one']}/{name}", release)


def _places(row: Resource) -> dict[str, str]:
    """The paths of a resource: "one", "many", and "all" where namespaces divide it."""
    base = f"/apis/{row.api_version}" if row.group else f"/api/{row.version}"
    if not row.namespaced:
        return {"many": f"{base}/{row.plural}", "one": f"{base}/{row.plural}/{{name}}"}
    many = f"{base}/namespaces/{{namespace}}/{row.plural}"
    return {"many": many, "one": f"{many}/{{name}}", "all": f"{base}/{row.plural}"}


_SUB_METHODS = {
    "get": ("get", "get", "read"),
    "create": ("post", "post", "create"),
    "update": ("put", "put", "replace"),
    "patch": ("patch", "patch", "patch"),
    "delete": ("delete", "delete", "delete"),
}


def _of_subresource(
    row: Resource, sub: Subresource, path: str, release: str
) -> Iterator[Operation]:
    gvk = sub.gvk(row)
    kind = _definition(row, gvk, release)
    for verb in sub.verbs:
        method, action, prefix = _SUB_METHODS[verb]
        body = {"create": kind, "update": kind, "patch": PATCH}.get(verb, "")
        parameters: tuple[Parameter, ...] = _WRITE if body else (_PRETTY,)
        if verb == "patch":
            parameters = (*_WRITE, _FORCE)
        name = _id(row, prefix) + sub.name.capitalize()
        yield Operation(path, method, action, name, gvk, parameters, body, kind, row.custom is None)


def _definition(row: Resource, gvk: Gvk, release: str) -> str:
    group, version, kind = gvk
    if row.custom is not None and group == row.group:
        return custom.name(group, version, kind)
    api_version = f"{group}/{version}" if group else version
    return schema.definition_name(api_version, kind, release) or ""


def _id(row: Resource, prefix: str, *, everywhere: bool = False) -> str:
    group = (row.group.partition(".")[0] or "core").capitalize()
    namespaced = "Namespaced" if row.namespaced and not everywhere else ""
    suffix = "ForAllNamespaces" if everywhere else ""
    collection = ""
    if prefix == "deleteCollection":
        prefix, collection = "delete", "Collection"
    version = row.version.capitalize()
    return f"{prefix}{group}{version}{collection}{namespaced}{row.kind}{suffix}"
