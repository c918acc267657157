"""How a webhook is reached: the `clientConfig` of webhooks and of conversions.

Source: k8s.io/apiserver/pkg/util/webhook.
"""

import base64
import binascii
from typing import Final

from cluster.api.objects import Object
from cluster.apiserver.outbound.protocol import Outgoing, Service

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json, */*"}
_PORT: Final = 443


def service(reference: Object) -> Service:
    """The port of the Service that a reference names."""
    return Service(reference["namespace"], reference["name"], reference.get("port") or _PORT)


def outgoing(config: Object, body: bytes, query: str = "") -> Outgoing:
    """The request that carries a review, at a path that ends with `query`.

    ValueError where the certificates cannot be read.
    """
    try:
        ca = base64.b64decode(config.get("caBundle") or "")
    except (binascii.Error, ValueError):
        raise ValueError("could not get REST client: the caBundle is no base64") from None
    reference = config.get("service")
    if reference is None:
        url = str(config.get("url") or "")
        return Outgoing(url=url + query, body=body, headers=_HEADERS, ca=ca)
    path = reference.get("path") or "/"
    path = path if path.startswith("/") else f"/{path}"
    return Outgoing(
        service=service(reference), path=path + query, body=body, headers=_HEADERS, ca=ca
    )
