"""Made-up requests: each family draws requests of one kind, of what a `World` serves."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import fuzz_definitions
from fuzz_server import ADMIN
from fuzz_values import (
    BROKEN,
    NASTY,
    NUMBERS,
    YAML,
    anything,
    encoded,
    mutated,
    places,
    protobuf,
    rarely,
    scalars,
    tampered,
    texts,
)
from fuzz_wire import Request
from fuzz_world import NAMES, NAMESPACES, Kind, World
from hypothesis import strategies as st

Draw = Callable[[Any], Any]
JSON = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
APPLY = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
_SELECTORS = (
    "a=b", "a==b,c!=d", "a in (b,c),d notin (e)", "!a", "a", "a in ()", "a in (", "a=b=c", ",,",
    "a>1,b<2", "A B=c", "x/y/z=1", "/a=b", "a=" + "b" * 64, "metadata.name=one", "a%3Db",
    "metadata.name!=one,metadata.namespace=fuzz", "spec.nodeName=", "status.phase!=Running",
    "spec.color=red", "involvedObject.name=a,type=b", "metadata.name=a\\,b", "spec.unknown=1",
    "=", "metadata.name", "metadata.name in (a)", "a" + ",a" * 3000, "!" * 50, "type=x",
)  # fmt: skip
_CLAIMS = (
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0",
    "e30",
    "bnVsbA",
    "eyJydiI6LTF9",
)
_ACCEPTS = (
    "*/*", JSON, "application/yaml", PROTOBUF, "text/html", "", ";", ",", "q=;q", "*/*;q=0",
    "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v9;g=x",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/json;stream=watch",
    "application/cbor", "a" * 5000, "application/json;" * 2000, 'application/json;a="',
)  # fmt: skip


def _one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def _quoted(text: str, safe: str = "") -> str:
    return quote(text, safe=safe, errors="surrogatepass")


def _name(draw: Draw) -> str:
    return str(draw(texts if rarely(draw, 10) else st.sampled_from(NAMES)))


def _kind(draw: Draw, world: World, verb: str = "") -> Kind:
    """A kind, mostly one that knows the verb."""
    if verb and not rarely(draw, 20):
        able = [kind for kind in world.kinds if verb in kind.verbs]
        world = World(tuple(able), (), (), ())
    likely = [
        kind
        for kind in world.kinds
        if kind.plural
        in ("pods", "configmaps", "services", "deployments", "widgets", "shells", "frees")
    ]
    found: Kind = draw(st.sampled_from(likely if draw(st.integers(0, 2)) == 0 else world.kinds))
    return found  # fmt: skip


def _at(draw: Draw, kind: Kind, name: str = "", sub: str = "") -> str:
    space = draw(texts) or "x" if rarely(draw, 15) else draw(st.sampled_from(NAMESPACES))
    path = kind.path("SPACE", "NAME" if name else "", sub)
    return path.replace("SPACE", _quoted(space)).replace("NAME", _quoted(name))


def _query(draw: Draw, world: World, many: bool = False) -> str:
    """A query; of a list where `many`."""
    if not many and not rarely(draw, 4):
        return ""
    flag = _one_of("true", "false", "1", "T", "maybe", "")
    values: dict[str, Any] = {
        "dryRun": _one_of("All", "all", "", "All&dryRun=All"),
        "fieldManager": _one_of("me", "you", "", "x" * 200, "a\x00b"),
        "fieldValidation": _one_of("Strict", "Warn", "Ignore", "strict", ""),
        "force": flag, "pretty": flag, "gracePeriodSeconds": st.sampled_from(NUMBERS),
        "propagationPolicy": _one_of("Foreground", "Orphan", "Background", "x"),
        "orphanDependents": flag,
    }  # fmt: skip
    if many:
        selectors = st.sampled_from(_SELECTORS) | texts
        values |= {
            "labelSelector": selectors, "fieldSelector": selectors,
            "limit": st.sampled_from(NUMBERS) | texts,
            "continue": st.sampled_from((*world.continues, *_CLAIMS)) | texts,
            "resourceVersion": st.sampled_from(world.revisions) | texts | st.sampled_from(NUMBERS),
            "resourceVersionMatch": _one_of("Exact", "NotOlderThan", "x", ""),
            "watch": flag, "allowWatchBookmarks": flag, "sendInitialEvents": flag,
            "timeoutSeconds": _one_of("0", "1", "-1", "x", "9" * 30), "includeObject":
            _one_of("None", "Object", "Metadata", "x"),
        }  # fmt: skip
    names = draw(st.lists(st.sampled_from(sorted(values)), max_size=3))
    parts = [f"{name}={_quoted(str(draw(values[name])), '&=')}" for name in names]
    if rarely(draw, 15):
        parts.append(_one_of_text(draw))
    return "?" + "&".join(parts) if parts else ""


def _one_of_text(draw: Draw) -> str:
    return str(draw(_one_of("%", "%zz", "&&&", "a", "=", "a=%ff%fe", "a" * 9000, ";", "a=b;c=d")))


def _request(
    method: str, target: str, body: bytes = b"", media: str = "", *more: tuple[str, str],
    about: str, token: str = ADMIN,
) -> Request:  # fmt: skip
    headers = (("Authorization", f"Bearer {token}"), *more)
    if media:
        headers += (("Content-Type", media),)
    return Request(method, target, headers, body, about)


def creates(draw: Draw, world: World) -> Request:
    """A body for a collection: JSON, YAML (which JSON is) or protobuf."""
    kind = _kind(draw, world, "create")
    target = _at(draw, kind) + _query(draw, world)
    if draw(st.integers(0, 5)) == 0:
        body = protobuf(draw, kind.api_version, kind.kind)
        return _request("POST", target, body, PROTOBUF, about="create, protobuf")
    document = mutated(draw, world.rich(kind) if draw(st.booleans()) else world.document(kind))
    if isinstance(document, dict) and isinstance(document.get("metadata"), dict):
        document["metadata"].pop("namespace", None)
        if draw(st.integers(0, 3)) == 0:
            document["metadata"]["generateName"] = draw(_one_of("a-", "", "A", "x" * 260))
            document["metadata"].pop("name", None)
    media = draw(_one_of(JSON, JSON, JSON, "application/yaml", "application/json; charset=utf-16"))
    return _request("POST", target, encoded(draw, document), media, about="create")


def _called(draw: Draw, document: Any) -> str:
    """A name for the path; mostly the document says the same, and no namespace."""
    name = _name(draw)
    meta = document.get("metadata") if isinstance(document, dict) else None
    if isinstance(meta, dict) and not rarely(draw, 10):
        meta.pop("namespace", None)
        meta["name"] = name
    return name


def updates(draw: Draw, world: World) -> Request:
    """A whole object in place of one, or of a part of one."""
    kind = _kind(draw, world, "update")
    sub = draw(st.sampled_from(("", *kind.subresources)))
    document = mutated(draw, world.rich(kind) if draw(st.booleans()) else world.document(kind))
    method = draw(_one_of("PUT", "PUT", "PUT", "PUT", "POST"))
    name = _called(draw, document)
    target = _at(draw, kind, name, sub) + _query(draw, world)
    return _request(method, target, encoded(draw, document), JSON, about="update")


def broken(draw: Draw, world: World) -> Request:
    """Bodies that are no documents."""
    kind = _kind(draw, world)
    method, media = draw(_one_of(
        ("POST", JSON), ("POST", "application/yaml"), ("POST", PROTOBUF), ("PUT", JSON),
        ("PATCH", JSON_PATCH), ("PATCH", MERGE), ("PATCH", STRATEGIC), ("PATCH", APPLY),
        ("DELETE", JSON), ("DELETE", "application/yaml"), ("POST", "text/plain"), ("POST", ""),
        ("PATCH", JSON), ("POST", "multipart/form-data; boundary=x"),
    ))  # fmt: skip
    yaml = "yaml" in media and draw(st.integers(0, 3)) > 0
    body = draw(st.sampled_from(YAML if yaml else BROKEN) | st.binary(max_size=40))
    name = "" if method == "POST" else _name(draw)
    target = _at(draw, kind, name) + ("?dryRun=All" if method == "DELETE" else "")
    return _request(method, target, body, media, about="broken body")


def patches(draw: Draw, world: World) -> Request:
    """Patches of every type on every part."""
    kind = _kind(draw, world, "patch")
    sub = draw(st.sampled_from(("", "", *kind.subresources)))
    media = draw(_one_of(JSON_PATCH, MERGE, STRATEGIC, APPLY))
    document = world.rich(kind) if draw(st.booleans()) else world.document(kind)
    query = _query(draw, world)
    patch = _steps(draw, document) if media == JSON_PATCH else mutated(draw, document)
    name = _called(draw, patch)
    if media == STRATEGIC:
        patch = _directed(draw, patch)
    elif media == APPLY:
        query = query.replace("?", "?fieldManager=fuzz&") if query else "?fieldManager=fuzz"
    target = _at(draw, kind, name, sub) + query
    return _request("PATCH", target, encoded(draw, patch), media, about=f"patch {media[12:20]}")


def _steps(draw: Draw, document: Any) -> Any:
    found = ["/" + "/".join(str(step) for step in path) for path in places(document)]
    paths = st.sampled_from(found) | _one_of(
        "", "/", "/-", "/metadata/labels/a", "/metadata/annotations/a~1b", "spec", "/spec/~2",
        "/spec/containers/-", "/spec/containers/99999999999", "/spec/containers/-1", "/a" * 3000,
        "/metadata/uid", "/metadata/managedFields", "/status", "/kind", "/spec/containers/01",
    )  # fmt: skip
    step = st.fixed_dictionaries(
        {"op": _one_of("add", "remove", "replace", "test", "move", "copy", "x", None, 1)},
        optional={"path": paths | scalars, "value": anything, "from": paths | scalars},
    )
    how = draw(st.integers(0, 9))
    if how == 0:
        return draw(anything)
    if how == 1:  # doubling by copies: the answer must be a refusal, and soon
        return [{"op": "add", "path": "/metadata/annotations", "value": {"a": "x" * 1000}}] + [
            {"op": "copy", "from": "/metadata", "path": f"/metadata/x{n}"} for n in range(40)
        ]
    return draw(st.lists(step, max_size=4))


def _directed(draw: Draw, patch: Any) -> Any:
    """With directives of strategic merge patches at some of its places."""
    directives: dict[str, Any] = {
        "$patch": _one_of("delete", "replace", "merge", "x", 1, None),
        "$retainKeys": st.lists(texts, max_size=2) | scalars,
        "$setElementOrder/containers": st.lists(
            st.fixed_dictionaries({"name": texts}) | scalars, max_size=3),
        "$deleteFromPrimitiveList/finalizers": st.lists(texts, max_size=2) | scalars,
        "$setElementOrder/finalizers": anything, "$deleteFromPrimitiveList/x": anything,
        "$setElementOrder/ports": anything, "$unknown": anything,
    }  # fmt: skip
    if not isinstance(patch, dict):
        return patch
    for _ in range(draw(st.integers(1, 3))):
        inside = [patch, *(_within(patch, path) for path in places(patch))]
        at = draw(st.sampled_from([one for one in inside if isinstance(one, dict)]))
        name = draw(st.sampled_from(sorted(directives)))
        at[name] = draw(directives[name])
    return patch


def _within(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def selections(draw: Draw, world: World) -> Request:
    """Lists, watches, and deletions of many that only pretend."""
    kind = _kind(draw, world, "list")
    method = draw(_one_of("GET", "GET", "GET", "GET", "GET", "GET", "DELETE", "HEAD"))
    query = _query(draw, world, many=True)
    if method == "DELETE":
        query = "?dryRun=All&" + query[1:]
    accept = ("Accept", draw(_one_of("*/*", "application/json") | st.sampled_from(_ACCEPTS)))
    path = _at(draw, kind) if draw(st.booleans()) else kind.path()
    return _request(method, path + query, b"", "", accept, about="select")


def singles(draw: Draw, world: World) -> Request:
    """Reads and deletions of one object, with options in the query and in the body."""
    kind = _kind(draw, world)
    method = draw(_one_of("GET", "GET", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW", "get"))
    sub = draw(st.sampled_from(("", "", *kind.subresources, "log", "nothing", "proxy", "exec")))
    target = _at(draw, kind, _name(draw), sub) + _query(draw, world, many=method == "GET")
    if method != "DELETE":
        accept = ("Accept", draw(st.sampled_from(_ACCEPTS)))
        return _request(method, target, b"", "", accept, about="one")
    options = {
        "kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0,
        "propagationPolicy": "Background", "preconditions": {"uid": "x", "resourceVersion": "1"},
        "dryRun": ["All"], "orphanDependents": None,
    }  # fmt: skip
    body = encoded(draw, mutated(draw, options))
    return _request(method, target, body, JSON, about="delete")


def identities(draw: Draw, world: World) -> Request:
    """Credentials of all kinds, whole and tampered with, and other people's names."""
    kind = _kind(draw, world)
    token = draw(st.sampled_from(world.tokens))
    if draw(st.booleans()):
        token = tampered(draw, token)
    value = draw(_one_of(
        f"Bearer {token}", f"Bearer {token}", f"bearer  {token}", "Basic YTpi", "Bearer", "Bearer ",
        f"Bearer {token} {token}", "Bearer " + "a" * 40_000, "Negotiate x", "Bearer a.b.c",
        "Bearer abcdef.0123456789abcdef", f"Bearer {ADMIN}", f"Bearer {ADMIN}",
    ))  # fmt: skip
    headers: list[tuple[str, str]] = [("Authorization", value)]
    plain = st.sampled_from([n for n in NASTY if n.isprintable()] + ["editor", "system:node:n1"])
    for _ in range(draw(st.integers(0, 4))):
        name = draw(_one_of(
            "Impersonate-User", "Impersonate-User", "Impersonate-Group", "Impersonate-Uid",
            "Impersonate-Extra-a", "Impersonate-Extra-%2f%zz", "Impersonate-", "Impersonate-Extra-",
            "X-Remote-User", "X-Remote-Group", "X-Remote-Extra-a", "Audit-ID", "User-Agent",
            "If-None-Match", "Accept-Encoding", "Connection", "Upgrade", "Expect", "Range",
            "X-Forwarded-For", "X-HTTP-Method-Override", "Cookie", "Origin",
            "Sec-WebSocket-Protocol", "Content-Encoding", "Warning",
        ))  # fmt: skip
        headers.append((name, draw(plain)))
    method = draw(_one_of("GET", "GET", "POST", "DELETE", "PATCH"))
    name = "" if method == "POST" else _name(draw)
    target = _at(draw, kind, name) + ("?dryRun=All" if method != "GET" else "")
    body = b"" if method == "GET" else json.dumps(world.document(kind)).encode()
    if method == "DELETE":
        body = b""
    media = {"PATCH": MERGE, "POST": JSON}.get(method, "")
    typed = (("Content-Type", media),) if media else ()
    return Request(method, target, (*headers, *typed), body, "identity")


def paths(draw: Draw, world: World) -> Request:
    """Paths that nobody meant."""
    start = draw(_one_of(
        "/", "//", "/api", "/api/", "/apis/", "/api/v1/", "/api/v2", "/apis/apps", "/apis/apps/v9",
        "/openapi/v2", "/openapi/v3", "/openapi/v3/api/v1", "/version", "/healthz", "/livez/ping",
        "/readyz?verbose", "/metrics", "/.well-known/openid-configuration", "/openid/v1/jwks",
        "/api/v1/namespaces/fuzz/pods/one", "/api/v1/watch/pods", "/api/v1/nodes/n1/proxy",
        "/api/v1/namespaces/fuzz/services/one:80/proxy", "/api/v1/namespaces/fuzz/pods/one/exec",
        "/api/v1/componentstatuses", "/logs", "/debug/pprof", "/swagger.json", "/configz",
        "/apis/fuzz.example.com/v1/namespaces/fuzz/widgets", "/apis/metrics.k8s.io/v1beta1/nodes",
        "*", "http://evil/api", "/api/v1/namespaces/fuzz/pods/one/log?follow=true&tailLines=-1",
        "/api/v1/namespaces/fuzz/pods/one/portforward?ports=x", "/livez?exclude=x&exclude=ping",
    ))  # fmt: skip
    tail = "".join(
        "/" + draw(_one_of("..", ".", "%2e%2e", "%2F", "%00", "a" * 3000, "%ff", "%C3%A9", ";x",
                           "namespaces", "fuzz", "pods", "one", "status", "proxy", "%25", "+", ""))
        for _ in range(draw(st.integers(0, 4)))
    )  # fmt: skip
    method = draw(_one_of("GET", "GET", "GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"))
    accept = ("Accept", draw(st.sampled_from(_ACCEPTS)))
    upgrade = draw(_one_of((), (("Connection", "Upgrade"), ("Upgrade", "websocket"),
                                ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
                                ("Sec-WebSocket-Version", "13"),
                                ("Sec-WebSocket-Protocol", "v5.channel.k8s.io")),
                           (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"))))  # fmt: skip
    return _request(method, start + tail, b"", "", accept, *upgrade, about="path")


def reviews(draw: Draw, world: World) -> Request:
    """Questions about access and tokens."""
    token = draw(st.sampled_from(world.tokens))
    spec: dict[str, Any] = {
        "subjectaccessreviews": {"user": "editor", "groups": ["a"], "extra": {"a": ["b"]},
            "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "fuzz"}},
        "selfsubjectaccessreviews": {"nonResourceAttributes": {"path": "/x", "verb": "get"}},
        "selfsubjectrulesreviews": {"namespace": "fuzz"},
        "localsubjectaccessreviews": {"user": "viewer", "resourceAttributes": {
            "verb": "*", "group": "*", "resource": "*", "namespace": "fuzz",
            "fieldSelector": {"requirements": [{"key": "a", "operator": "In", "values": ["b"]}]}}},
        "tokenreviews": {"token": tampered(draw, token), "audiences": ["x"]},
        "selfsubjectreviews": {},
    }  # fmt: skip
    plural = draw(st.sampled_from(sorted(spec)))
    kind = next((one for one in world.kinds if one.plural == plural), world.kinds[0])
    document = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec[plural]}
    body = encoded(draw, mutated(draw, document))
    target = kind.path("fuzz") + _query(draw, world)
    return _request("POST", target, body, JSON, about="review")


def definitions(draw: Draw, world: World) -> Request:
    """Definitions, policies and webhooks that their makers should have thought over."""
    path, document = fuzz_definitions.hostile(draw)
    how = draw(st.integers(0, 2))
    if how == 0 and document["kind"] == "CustomResourceDefinition":
        name = draw(_one_of("widgets", "shells", "frees")) + ".fuzz.example.com"
        versions = {"spec": {"versions": document["spec"]["versions"]}}
        target = f"{path}/{name}?dryRun=All"
        return _request("PATCH", target, encoded(draw, versions), MERGE, about="definition")
    body = encoded(draw, mutated(draw, document, most=2))
    return _request("POST", path + _query(draw, world), body, JSON, about="definition")


FAMILIES: tuple[Callable[[Draw, World], Request], ...] = (
    creates, creates, creates, updates, updates, patches, patches, patches, broken, selections,
    selections, singles, identities, paths, reviews, definitions,
)  # fmt: skip


@st.composite
def requests(draw: Draw, world: World) -> Request:
    """A request of any family."""
    return draw(st.sampled_from(FAMILIES))(draw, world)
