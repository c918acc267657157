"""Add-ons: what clusters of kubeadm have besides their components, made at the first start with
`--addons`: `dns` (CoreDNS behind the Service kube-dns), `ingress` (ingress-nginx). One a file.

Each is made once: what a user deletes of it stays deleted, and what he changes stays changed. The
ConfigMap `kube-system/kubemu-addons` remembers which were made.
"""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import structlog

from cluster.api import errors, identity, objects
from cluster.api.objects import Object
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.apiserver import codec

if TYPE_CHECKING:
    from cluster.apiserver.registry import Registry

NAMES: Final = ("dns", "ingress")
MADE: Final = ("kube-system", "kubemu-addons")


def checked(names: Sequence[str]) -> None:
    """ValueError for a name of none."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"there is no addon {unknown[0]!r}: there are {', '.join(NAMES)}")


def manifests(name: str, service_range: str) -> Sequence[Object]:
    """The objects of an add-on, namespaces first."""
    module = importlib.import_module(f"cluster.apiserver.addons.{name}")
    made: Sequence[Object] = module.manifests(service_range)
    return made


async def ensure(
    registry: "Registry", names: Sequence[str], service_range: str, user: identity.User
) -> None:
    """Make, as `user`, the add-ons that were never made; none where which were cannot be read,
    since its key is missing. errors.StatusError where the store refuses it.
    """
    log = structlog.get_logger().bind(component="apiserver")
    namespace, name = MADE
    try:
        entry = registry.cache.get("configmaps", namespace, name)
        known = (entry.document().get("data") or {}) if entry is not None else {}
    except errors.InternalError as error:
        log.warning("cannot tell which addons were made, and makes none", error=error.message)
        return
    missing = [each for each in names if each not in known]
    if not missing:
        return
    for each in missing:
        wanted = manifests(each, service_range)
        spaces = [obj for obj in wanted if obj["kind"] == "Namespace"]
        for part in (spaces, [obj for obj in wanted if obj["kind"] != "Namespace"]):
            operations = [_creation(registry, obj) for obj in part]
            for result in await registry.write(operations, user):
                # What a user has made by himself is his.
                if isinstance(result, errors.StatusError) and not isinstance(
                    result, errors.AlreadyExists
                ):
                    log.warning("cannot make all of an addon", addon=each, error=result.message)
    data = dict.fromkeys(missing, "made")
    if entry is None:
        meta = {"name": name, "namespace": namespace}
        obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        operation = _creation(registry, obj)
    else:
        body = codec.document({"data": data})
        operation = Operation(
            Verb.PATCH, "configmaps", namespace, name, body=body, patch_type=MERGE_PATCH
        )
    for result in await registry.write([operation], user):
        # Another server that starts at the same time made the same.
        if isinstance(result, errors.StatusError) and not isinstance(result, errors.AlreadyExists):
            raise result


def _creation(registry: "Registry", obj: Object) -> Operation:
    row = registry.table.of_kind(obj["apiVersion"], obj["kind"])
    if row is None:
        raise errors.NotFound(f"no kind {obj['kind']} in version {obj['apiVersion']}")
    return Operation(
        Verb.CREATE, row.id, objects.namespace(obj), objects.name(obj),
        body=codec.document(obj), want_object=False,
    )  # fmt: skip
