"""What the server holds before the fuzzing, and what a fuzzer knows about it."""

import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import minimal_objects
import rich_kinds
from fuzz_server import TOKENS, user
from fuzz_wire import Connection

from cluster.api import resources

NAMESPACES = ("fuzz", "guarded")
NAMES = ("web", "one", "two", "default")


@dataclass(frozen=True, slots=True)
class Kind:
    """A served resource, as discovery tells of it; `root` is the path of its group version."""

    root: str
    plural: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...]
    subresources: tuple[str, ...]

    @property
    def api_version(self) -> str:
        return self.root.removeprefix("/apis/").removeprefix("/api/")

    @property
    def id(self) -> str:
        group = self.api_version.rpartition("/")[0]
        return f"{self.plural}.{group}" if group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        parts = [self.root]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(name, safe="")] if name else []
        parts += [subresource] if subresource else []
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class World:
    """What is there to ask for."""

    kinds: tuple[Kind, ...]
    tokens: tuple[str, ...]
    continues: tuple[str, ...]
    revisions: tuple[str, ...]

    def document(self, kind: Kind) -> dict[str, Any]:
        """A valid object of a kind."""
        found = _CUSTOM.get(kind.id)
        if found is None:
            row = _ROWS.get(kind.id)
            found = minimal_objects.of(row) if row is not None else {"metadata": {"name": "web"}}
        document = copy.deepcopy(found)
        return {"apiVersion": kind.api_version, "kind": kind.kind, **document}

    def rich(self, kind: Kind) -> dict[str, Any]:
        """A valid object that says much, where there is one."""
        found = copy.deepcopy(rich_kinds.RICH.get(kind.id))
        if found is None:
            return self.document(kind)
        return {"apiVersion": kind.api_version, "kind": kind.kind, **found}


_ROWS = {row.id: row for row in resources.built_in()}


def definition(plural: str, kind: str, versions: list[Any], **more: Any) -> dict[str, Any]:
    """A CustomResourceDefinition of the group fuzz.example.com."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.fuzz.example.com"},
        "spec": {
            "group": "fuzz.example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "categories": ["all"]},
            "versions": versions,
            **more,
        },
    }


def version(name: str, schema: Any, *, storage: bool = True, **more: Any) -> dict[str, Any]:
    """A version of a definition."""
    shape = {"openAPIV3Schema": schema}
    return {"name": name, "served": True, "storage": storage, "schema": shape, **more}


_WIDGET = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["color"],
            "properties": {
                "color": {"type": "string", "enum": ["red", "blue"]},
                "size": {"type": "integer", "minimum": 1, "default": 3},
                "replicas": {"type": "integer", "minimum": 0},
                "port": {"x-kubernetes-int-or-string": True},
                "pattern": {"type": "string", "pattern": "^(a+)+$", "maxLength": 100},
                "tags": {
                    "type": "array", "x-kubernetes-list-type": "set", "maxItems": 20,
                    "items": {"type": "string", "maxLength": 50},
                },
                "parts": {
                    "type": "array", "x-kubernetes-list-type": "map", "maxItems": 20,
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object", "required": ["name"],
                        "properties": {
                            "name": {"type": "string", "maxLength": 50},
                            "weight": {"type": "number", "nullable": True},
                            "when": {"type": "string", "format": "date-time"},
                        },
                    },
                },
            },
            "x-kubernetes-validations": [
                {"rule": "!has(self.tags) || self.tags.all(t, t.size() < 20)",
                 "messageExpression": "'too long: ' + self.tags[0]"},
                {"rule": "self.color == oldSelf.color", "message": "the color stays"},
                {"rule": "!has(self.parts) || self.parts.map(p, p.name).exists(n, n == 'main')",
                 "reason": "FieldValueInvalid"},
            ],
        },
        "status": {
            "type": "object",
            "properties": {"replicas": {"type": "integer"}, "phase": {"type": "string"}},
        },
    },
}  # fmt: skip
_FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_OPEN = {"x-kubernetes-preserve-unknown-fields": True}
_EMBEDDED = {
    "type": "object",
    "properties": {
        "template": {
            "type": "object", "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "map": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 9},
    },
}  # fmt: skip
DEFINITIONS = (
    definition("widgets", "Widget", [version(
        "v1", _WIDGET,
        subresources={"status": {}, "scale": {
            "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
        additionalPrinterColumns=[{"name": "C", "type": "string", "jsonPath": ".spec.color"}],
        selectableFields=[{"jsonPath": ".spec.color"}],
    )]),
    definition("frees", "Free", [version("v1", _FREE)], scope="Cluster"),
    definition("shells", "Shell", [
        version("v1", _EMBEDDED), version("v1beta1", _EMBEDDED | _OPEN, storage=False)]),
)  # fmt: skip
_CUSTOM: dict[str, Any] = {
    "widgets.fuzz.example.com": {
        "metadata": {"name": "web"},
        "spec": {"color": "red", "tags": ["a"], "parts": [{"name": "main", "weight": 1.5}]},
    },
    "frees.fuzz.example.com": {"metadata": {"name": "web"}, "anything": {"at": ["all"]}},
    "shells.fuzz.example.com": {
        "metadata": {"name": "web"},
        "template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "inner"}},
        "map": {"a": "b"},
    },
}


def _webhooks(kind: str) -> dict[str, Any]:
    hook = {
        "name": "nowhere.fuzz.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "failurePolicy": "Ignore",
        "timeoutSeconds": 1,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "rules": [{
            "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"],
            "resources": ["configmaps", "widgets"],
        }],
    }  # fmt: skip
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
        "metadata": {"name": "nowhere"}, "webhooks": [hook],
    }  # fmt: skip


def _binding(token: str, role: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": "fuzz"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user(token)}
        ],
    }  # fmt: skip


def _namespace(name: str, **labels: str) -> dict[str, Any]:
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


_CORE = "/api/v1/namespaces"
_HOOKS = "/apis/admissionregistration.k8s.io/v1"
_RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/fuzz/rolebindings"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_SPEC = {"containers": [{"name": "a", "image": "a"}]}
_OBJECTS: tuple[tuple[str, Any], ...] = (
    (_CORE, _namespace("fuzz")),
    (_CORE, _namespace("guarded", **{"pod-security.kubernetes.io/enforce": "baseline"})),
    *((f"{_CORE}/{name}/serviceaccounts", {"metadata": {"name": "default"}})
      for name in NAMESPACES),
    (f"{_CORE}/fuzz/configmaps", {"metadata": {"name": "one"}, "data": {"a": "b"}}),
    (f"{_CORE}/fuzz/configmaps", {"metadata": {"name": "two"}, "data": {"a": "b"}}),
    (f"{_CORE}/fuzz/pods", {"metadata": {"name": "one", "labels": {"a": "b"}}, "spec": _SPEC}),
    (f"{_CORE}/fuzz/secrets", {"metadata": {"name": "one"}, "data": {"a": "YQ=="}}),
    (f"{_CORE}/guarded/resourcequotas",
     {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "40", "requests.cpu": "40"}}}),
    (f"{_CORE}/guarded/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": [
        {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}}]}}),
    ("/api/v1/nodes", {"metadata": {"name": "n1"}}),
    (_RBAC, _binding("editor-token", "edit")),
    (_RBAC, _binding("viewer-token", "view")),
    *((_CRDS, one) for one in DEFINITIONS),
    (f"{_HOOKS}/validatingwebhookconfigurations", _webhooks("ValidatingWebhookConfiguration")),
    (f"{_HOOKS}/mutatingwebhookconfigurations", _webhooks("MutatingWebhookConfiguration")),
)  # fmt: skip


def furnish(admin: Connection) -> list[str]:
    """Make what is missing; what was refused."""
    refused = []
    for path, document in _OBJECTS:
        answer = admin.ask("POST", path, document)
        if answer.status not in (201, 409):
            refused.append(f"{path}: {answer.status} {answer.body[:300]!r}")
    return refused


_RULING = ("/apis/admissionregistration", "/apis/apiregistration")
"""Groups whose objects have a say in every other request."""


def populate(admin: Connection) -> None:
    """One object of every kind that can be made, called `one` where its kind lets it."""
    world = World(tuple(discovered(admin)), (), (), ())
    for kind in world.kinds:
        if not {"create", "list"} <= set(kind.verbs) or kind.root.startswith(_RULING):
            continue
        for document in (world.rich(kind), world.document(kind)):
            document["metadata"].pop("namespace", None)
            document["metadata"] |= {"name": "one"}
            if admin.ask("POST", kind.path("fuzz"), document).status in (201, 409):
                break


def tidy(admin: Connection) -> None:
    """Take away what made-up requests left that would refuse or answer all others."""
    rules = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations",
             "validatingadmissionpolicybindings", "mutatingadmissionpolicybindings")  # fmt: skip
    for plural in rules:
        for item in (admin.get(f"{_HOOKS}/{plural}").json() or {}).get("items", ()):
            name = item["metadata"]["name"]
            if name != "nowhere":
                _gone(admin, f"{_HOOKS}/{plural}/{quote(name)}")
    services = "/apis/apiregistration.k8s.io/v1/apiservices"
    for item in (admin.get(services).json() or {}).get("items", ()):
        if item["spec"].get("service"):
            _gone(admin, f"{services}/{quote(item['metadata']['name'])}")
    for name in NAMESPACES:
        found = admin.get(f"{_CORE}/{name}").json() or {}
        if found.get("metadata", {}).get("deletionTimestamp"):
            _empty(admin, name)


def _gone(admin: Connection, path: str) -> None:
    admin.ask("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    admin.ask("DELETE", path, {"gracePeriodSeconds": 0})


def _empty(admin: Connection, name: str) -> None:
    """No controller ends a namespace here: do what it would."""
    for kind in discovered(admin):
        if kind.namespaced and "deletecollection" in kind.verbs:
            path = kind.path(name)
            for item in (admin.get(path).json() or {}).get("items") or ():
                _gone(admin, f"{path}/{quote(item['metadata']['name'])}")
    found = admin.get(f"{_CORE}/{name}").json()
    found["spec"] = {"finalizers": []}
    _gone(admin, f"{_CORE}/{name}")
    admin.ask("PUT", f"{_CORE}/{name}/finalize", found)


def discovered(admin: Connection) -> list[Kind]:
    """All that is served, in discovery's order."""
    roots = ["/api/v1"]
    for group in admin.get("/apis").json()["groups"]:
        roots += [f"/apis/{one['groupVersion']}" for one in group["versions"]]
    kinds = []
    for root in roots:
        listed = (admin.get(root).json() or {}).get("resources") or []
        for one in listed:
            if "/" in one["name"]:
                continue
            below = [r["name"].partition("/")[2] for r in listed
                     if r["name"].startswith(one["name"] + "/")]  # fmt: skip
            kinds.append(Kind(root, one["name"], one["kind"], one["namespaced"],
                              tuple(one["verbs"]), tuple(below)))  # fmt: skip
    return kinds


def known(admin: Connection) -> World:
    """What a fuzzer may ask for."""
    page = admin.get(f"{_CORE}/fuzz/configmaps?limit=1").json()["metadata"]
    asked = admin.ask(
        "POST", f"{_CORE}/fuzz/serviceaccounts/default/token",
        {"spec": {"expirationSeconds": 3600}},
    )  # fmt: skip
    return World(
        kinds=tuple(discovered(admin)),
        tokens=(*TOKENS, asked.json()["status"]["token"]),
        continues=(page["continue"],),
        revisions=(page["resourceVersion"], "0", "1"),
    )
