"""What extension servers have to know to believe this server: a ConfigMap in kube-system.

Their delegated authentication reads `extension-apiserver-authentication`: who signs the
certificates of clients, and of the proxy that tells in headers whom it asks for.
"""

import contextlib
from typing import Final

import msgspec
import structlog

from cluster.api import errors
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.apiserver import bootstrap
from cluster.apiserver.registry import Registry

NAME: Final = "extension-apiserver-authentication"
PROXY: Final = "front-proxy-client"
"""The common name of the proxy's certificate."""
_NAMESPACE: Final = "kube-system"
_encode = msgspec.json.encode


def published(client_ca: str, *, proxies: bool) -> dict[str, str]:
    """The ConfigMap's data. kubemu has one authority, which signs the proxy's certificate too."""
    found = {"client-ca-file": client_ca}
    if proxies:
        found |= {
            "requestheader-allowed-names": f'["{PROXY}"]',
            "requestheader-client-ca-file": client_ca,
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        }
    return found


async def publish(registry: Registry, client_ca: str, *, proxies: bool) -> None:
    """Make the ConfigMap, or bring it up to date. errors.StatusError.

    One that cannot be read, since its key is missing, is left as it is.
    """
    data = published(client_ca, proxies=proxies)
    try:
        entry = registry.cache.get("configmaps", _NAMESPACE, NAME)
    except errors.InternalError as error:
        log = structlog.get_logger().bind(component="apiserver")
        log.warning("cannot bring up to date who is believed", error=error.message)
        return
    if entry is None:
        body = _encode({"metadata": {"name": NAME, "namespace": _NAMESPACE}, "data": data})
        wanted = Operation(Verb.CREATE, "configmaps", _NAMESPACE, NAME, body=body)
    elif (entry.document().get("data") or {}) != data:
        wanted = Operation(
            Verb.PATCH, "configmaps", _NAMESPACE, NAME,
            body=_encode({"data": data}), patch_type=MERGE_PATCH,
        )  # fmt: skip
    else:
        return
    with contextlib.suppress(errors.AlreadyExists):  # another server starts at the same time
        await registry.one(wanted, bootstrap.USER)
