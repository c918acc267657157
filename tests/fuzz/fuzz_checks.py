"""What must hold of every answer, and of the server once the storm is over."""

import ipaddress
import json
from typing import Any
from urllib.parse import quote

from fuzz_server import Server
from fuzz_wire import Answer, Connection, Request
from fuzz_world import Kind, discovered

SECONDS = 5.0
"""How long one answer may take."""


def wrong(request: Request, answer: Answer) -> str:
    """What an answer has against it; "" for nothing."""
    if answer.status == -1:
        return "no answer in time"
    if answer.status == 0:
        return "no answer"
    if answer.seconds > SECONDS:
        return f"answered after {answer.seconds:.1f} s"
    if answer.status >= 500 and not _allowed(request, answer):
        return f"answered {answer.status}"
    if answer.status < 400 or request.method == "HEAD":
        return ""
    return _no_status(request, answer)


def _no_status(request: Request, answer: Answer) -> str:
    """Whether a failure is told by anything but a Status."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "text/plain" and _plain(request):
        return ""
    if kind == "application/vnd.kubernetes.protobuf":
        return "" if answer.body.startswith(_PROTOBUF_STATUS) else f"{answer.status}: no Status"
    if answer.body and kind in ("application/yaml", "application/json"):
        found = answer.json() if kind == "application/json" else {"kind": "Status"}
        if not isinstance(found, dict) or found.get("kind") != "Status":
            return f"{answer.status} without a Status"
        if kind == "application/json" and (
            found.get("code") != answer.status or not found.get("message")
        ):
            return "a Status that does not say what the answer says"
        return ""
    return f"{answer.status} without a Status"


_PROTOBUF_STATUS = b"k8s\0\n\x0c\n\x02v1\x12\x06Status"


def _plain(request: Request) -> bool:
    """Whether it is about a page for people, or was not HTTP at all (aiohttp answers that)."""
    return request.target.startswith(("/healthz", "/livez", "/readyz")) or (
        not request.target.isascii() or not request.target.startswith("/")
        or any(not value.isprintable() or not value.isascii() for _, value in request.headers)
        or len({name for name, _ in request.headers}) < len(request.headers)
        or len(request.text()) > 60_000
    )  # fmt: skip


def _allowed(request: Request, answer: Answer) -> bool:
    """Answers from 500 on that are the truth: what kubemu lacks, and others who do not answer."""
    message = answer.body.decode(errors="replace")  # in protobuf as well
    if request.method == "HEAD":
        return "/proxy" in request.target and not answer.body
    if answer.status == 501:
        return bool(message)
    elsewhere = (
        "failed calling webhook", "conversion webhook for", "error trying to reach service",
        "no endpoints available for service", "service unavailable", "the server is currently",
        "failed to call webhook", "no preferred addresses found",
        "Too large resource version",
    )  # fmt: skip
    return any(text in message for text in elsewhere)


def stored(admin: Connection) -> dict[str, Any]:
    """Every object, by its path; by the version that discovery names first."""
    found: dict[str, Any] = {}
    seen: set[str] = set()
    for kind in discovered(admin):
        if "list" not in kind.verbs or kind.id in seen or kind.root.startswith("/apis/events"):
            continue
        seen.add(kind.id)
        answer = admin.get(kind.path())
        assert answer.status == 200, (kind.path(), answer.status, answer.body[:500])
        for item in answer.json()["items"]:
            found[_path(kind, item)] = item | {"apiVersion": kind.api_version, "kind": kind.kind}
    return found


def _path(kind: Kind, item: Any) -> str:
    meta = item["metadata"]
    name = quote(meta["name"], safe="")
    return kind.path(meta.get("namespace", "")) + f"/{name}"


def unacceptable(admin: Connection, objects: dict[str, Any]) -> list[str]:
    """Objects that the server would not take again as they are."""
    found = []
    updatable = {kind.path() for kind in discovered(admin) if "update" in kind.verbs}
    for path, item in objects.items():
        root = path.rpartition("/")[0]
        meta = item["metadata"]
        if meta.get("namespace"):
            root = root.replace(f"/namespaces/{meta['namespace']}", "", 1)
        if root not in updatable:
            continue
        answer = admin.ask("PUT", f"{path}?dryRun=All&fieldValidation=Strict", item)
        if answer.status != 200:
            said = answer.body[:600]
            found.append(f"{path}: {answer.status} {said!r} for {json.dumps(item)[:1500]}")
        elif changed(item, answer.json()):
            after = _bare(answer.json())
            parts = [key for key in after if after[key] != _bare(item).get(key)]
            said = [(key, _bare(item).get(key), after[key]) for key in parts]
            found.append(f"{path}: an update that changes nothing changed {said}")
    return found


_BOUND = ("/apis/apiregistration", "/apis/apiextensions", "/apis/flowcontrol", "/jobs/", "/system-")
"""Objects that can be made under one name only, or that say whose they are."""
_OWN = ("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences")


def unmakeable(admin: Connection, objects: dict[str, Any]) -> list[str]:
    """Objects whose like the server would not make under another name: 403 is admission's."""
    found = []
    ends = tuple(f"/{kind.plural}" for kind in discovered(admin) if "create" in kind.verbs)
    for path, item in objects.items():
        if any(part in path for part in _BOUND):
            continue
        meta = {key: value for key, value in item["metadata"].items() if key in _OWN}
        meta["name"] = _other_name(item)
        collection = path.rpartition("/")[0]
        if not collection.endswith(ends):
            continue
        document = {key: value for key, value in item.items() if key != "status"}
        answer = admin.ask("POST", f"{collection}?dryRun=All", document | {"metadata": meta})
        taken = b"is already allocated" in answer.body  # addresses and ports
        if answer.status not in (201, 403, 409) and not taken:
            found.append(f"the like of {path}: {answer.status} {answer.body[:600]!r}")
    return found


def _other_name(item: Any) -> str:
    """A name like that of `item`: a letter more, but an IPAddress is named as another address."""
    name: str = item["metadata"]["name"]
    if item["kind"] != "IPAddress":
        return f"{name}z"
    address = ipaddress.ip_address(name)
    last = int(address) == 2**address.max_prefixlen - 1
    return str(address - 1 if last else address + 1)


def changed(before: Any, after: Any) -> bool:
    """Whether more than bookkeeping differs."""
    old, new = _bare(before), _bare(after)
    if "labels" not in old["metadata"]:
        new["metadata"].pop("labels", None)  # a Job without labels takes those of its template
    return bool(old != new)


def _bare(item: Any) -> Any:
    meta = {key: value for key, value in item["metadata"].items()
            if key not in ("managedFields", "resourceVersion", "generation")}  # fmt: skip
    return item | {"metadata": meta}


_MENDED = (
    "/apis/rbac.authorization.k8s.io/v1/cluster", "/apis/rbac.authorization.k8s.io/v1/namespaces/k",
    "/apis/flowcontrol", "/apis/apiregistration", "/api/v1/namespaces/default/",
    "/api/v1/namespaces/kube-", "/apis/discovery.k8s.io/v1/namespaces/default/",
)  # fmt: skip
"""Where a server makes whole again, when it starts, what differs from what it should be."""
_REGISTERED = "/apis/apiregistration.k8s.io/"


def survives(
    server: Server, admin: Connection, objects: dict[str, Any], born: dict[str, Any]
) -> list[str]:
    """What differs once the server was killed and started on what it had stored.

    `born` is what it had made when it was new: it makes those again, and nothing else but the
    APIServices of custom resources.
    """
    server.kill()
    admin.close()
    server.start()
    again = stored(admin)
    found = [f"{path} is gone" for path in objects if path not in again]
    made = {path: item for path, item in again.items() if path not in objects}
    found += [
        f"{path} is new" for path in made if path not in born and not path.startswith(_REGISTERED)
    ]
    found += [
        f"{path} was made again as another: {json.dumps(item)[:400]}"
        for path, item in made.items()
        if path in born and _content(item) != _content(born[path])
    ]
    found += [
        f"{path} differs: {json.dumps(item)[:400]} / {json.dumps(again[path])[:400]}"
        for path, item in objects.items()
        if path in again and again[path] != item and not path.startswith(_MENDED)
    ]
    return found


def _content(item: Any) -> Any:
    labels = item["metadata"].get("labels")
    return labels, {key: item[key] for key in item if key not in ("metadata", "status")}
