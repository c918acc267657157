"""kubeconfig files, certificates embedded: for kubectl, and for our components.

Beside the REST server's URL, a kubeconfig of ours names the gRPC address of the API server in a
cluster extension (`kubemu.dev/grpc`), which kubectl leaves alone.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from cluster.api import faults, yaml_text
from cluster.launcher import files

GRPC_EXTENSION: Final = "kubemu.dev/grpc"
_LISTS: Final = ("clusters", "contexts", "users")

Document = dict[str, Any]


class Unreadable(faults.Fault):
    """A kubeconfig cannot be used; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a cluster, and as whom. PEM texts; `grpc` is `host:port`, of several
    servers with commas between, or "".
    """

    server: str
    grpc: str
    authority: bytes
    certificate: bytes
    key: bytes


def document(cluster: str, user: str, access: Access) -> Document:
    """A kubeconfig with one cluster, one user and one context, all named after `cluster`."""
    known: Document = {
        "server": access.server,
        "certificate-authority-data": _encode(access.authority),
    }
    if access.grpc:
        known["extensions"] = [{"name": GRPC_EXTENSION, "extension": {"server": access.grpc}}]
    credentials = {
        "client-certificate-data": _encode(access.certificate),
        "client-key-data": _encode(access.key),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": known}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
        "preferences": {},
    }


def write(path: Path, config: Document) -> None:
    """Write a kubeconfig of mode 0600. files.Unwritable."""
    files.write_private(path, yaml.dump(config, Dumper=yaml.CSafeDumper, sort_keys=False).encode())


def read(path: Path) -> Document:
    """A kubeconfig as a document. Unreadable."""
    try:
        text = path.read_bytes()
        yaml_text.check_shape(text)
        found = yaml.load(text, Loader=yaml.CSafeLoader)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, yaml_text.Unreadable) as error:
        raise Unreadable(f"{path} is not a kubeconfig: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable(f"{path} is not a kubeconfig: it has no fields")
    return found


def access(path: Path) -> Access:
    """What the current context of a kubeconfig says, in files or embedded. Unreadable."""
    config = read(path)
    try:
        context = _named(config, "contexts", config.get("current-context", ""))["context"]
        cluster = _named(config, "clusters", context["cluster"])["cluster"]
        user = _named(config, "users", context["user"])["user"]
        return Access(
            cluster["server"],
            _grpc_address(cluster),
            _data(cluster, "certificate-authority", path.parent),
            _data(user, "client-certificate", path.parent),
            _data(user, "client-key", path.parent),
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise Unreadable(f"{path} is not a kubeconfig with a usable context: {error}") from error


def merged(existing: Document, added: Document) -> Document:
    """`existing` with the clusters, users and contexts of `added`, whose context is current."""
    result = {"apiVersion": "v1", "kind": "Config", **existing}
    for field in _LISTS:
        ours = {entry["name"] for entry in added[field]}
        kept = [entry for entry in existing.get(field) or () if entry.get("name") not in ours]
        result[field] = [*kept, *added[field]]
    result["current-context"] = added["current-context"]
    return result


def without(existing: Document, removed: Document) -> Document:
    """`existing` without the entries of `removed` that are still as they were merged in."""
    result = dict(existing)
    for field in _LISTS:
        result[field] = [
            entry for entry in existing.get(field) or () if entry not in removed[field]
        ]
    if result.get("current-context") == removed["current-context"]:
        result["current-context"] = ""
    return result


def merge_into(path: Path, added: Document) -> None:
    """Merge into the kubeconfig at `path`, which may be absent. Unreadable, files.Unwritable."""
    existing = read(path) if path.exists() and path.stat().st_size else {}
    files.make_private(path.parent)
    write(path.resolve(), merged(existing, added))


def remove_from(path: Path, removed: Document) -> bool:
    """Take out what `merge_into` put in; say whether anything was there."""
    if not path.exists() or not path.stat().st_size:
        return False
    existing = read(path)
    left = without(existing, removed)
    if left == existing:
        return False
    write(path.resolve(), left)
    return True


def _named(config: Document, field: str, name: str) -> Document:
    for entry in config.get(field) or ():
        if entry.get("name") == name:
            return dict(entry)
    raise KeyError(f"no entry named {name!r} in {field}")


def _grpc_address(cluster: Document) -> str:
    for entry in cluster.get("extensions") or ():
        if entry.get("name") == GRPC_EXTENSION:
            return str(entry["extension"]["server"])
    return ""


def _data(section: Document, field: str, beside: Path) -> bytes:
    embedded = section.get(f"{field}-data")
    if embedded:
        return base64.b64decode(embedded, validate=True)
    named = section.get(field)
    if not named:
        raise KeyError(f"neither {field}-data nor {field} is there")
    return (beside / str(named)).read_bytes()


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()
