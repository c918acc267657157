"""What a binding's paramRef refers to.

Source: CollectParams of k8s.io/apiserver pkg/admission/plugin/policy/generic.
"""

from cluster.api import selectors
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver import codec
from cluster.apiserver.admission.matching.attributes import Attributes
from cluster.apiserver.admission.policies.definition import Binding, Policy
from cluster.apiserver.watchcache.entry import Entry


class Misconfigured(Exception):
    """A policy or binding that cannot be followed; the message says why."""


def row_of(policy: Policy, attributes: Attributes) -> Resource | None:
    """The row of the policy's paramKind, None where it has none. Misconfigured."""
    kind = policy.params
    if kind is None:
        return None
    table = attributes.request.cache.table
    row = table.of_kind(kind.get("apiVersion") or "", kind.get("kind") or "")
    if row is None or row.remote or "list" not in row.verbs:
        shown = f"{kind.get('apiVersion')}, Kind={kind.get('kind')}"
        raise Misconfigured(f"failed to find resource referenced by paramKind: '{shown}'")
    return row


def collected(
    row: Resource | None, binding: Binding, attributes: Attributes
) -> list[Object | None]:
    """The parameters with which a policy is evaluated, once for each; none: not at all.

    Misconfigured, outside.Ask.
    """
    reference = binding.params
    if row is None or reference is None:
        return [None]
    namespace = _namespace(row, reference, attributes)
    found: list[Object | None] = [
        _document(row, entry, attributes)
        for entry in _entries(row, reference, namespace, attributes)
    ]
    if not found and reference.get("parameterNotFoundAction") == "Deny":
        raise Misconfigured(
            "no params found for policy binding with `Deny` parameterNotFoundAction"
        )
    return found


def _namespace(row: Resource, reference: Object, attributes: Attributes) -> str:
    said: str = reference.get("namespace") or ""
    if not row.namespaced:
        if said:
            raise Misconfigured(
                "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
            )
        return ""
    if not said and not attributes.namespace:
        raise Misconfigured(
            "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
        )
    return said or attributes.namespace


def _entries(
    row: Resource, reference: Object, namespace: str, attributes: Attributes
) -> list[Entry]:
    cache = attributes.request.cache
    stored = cache.table.stored(row).id
    name = reference.get("name")
    if name:
        entry = cache.get(stored, namespace, name)
        return [] if entry is None else [entry]
    try:
        selector = selectors.of(reference.get("selector"))
    except ValueError as error:
        raise Misconfigured(str(error)) from None
    return [
        entry
        for entry in cache.of(stored).scan(codec.prefix(stored, namespace))
        if selector.matches(entry.labels)
    ]


def _document(row: Resource, entry: Entry, attributes: Attributes) -> Object:
    found = entry.document()
    if found.get("apiVersion") == row.api_version:
        return found
    call = attributes.request.call
    return call.views.document(row, found, call.answers)
