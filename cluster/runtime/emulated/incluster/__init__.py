"""How programs of pods reach the cluster's API, as any client in a cluster does: by the variables
and the token that the kubelet gives, over the pod's own network. The lab, which has no REST server,
hands in another way (`Kernel.api`).
"""

import functools
from typing import TYPE_CHECKING, Final

from cluster.api import errors
from cluster.runtime.vos.kernel import Call

if TYPE_CHECKING:
    from cluster.client.client import Client

FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


class Outside(Exception):
    """There is no way to the API from here; the message is client-go's."""


def client(call: Call, *, manager: str = "") -> "Client":
    """A client of the API as the pod's service account. Use it inside `async with`. Outside."""
    # Imported here: few programs look into the API.
    from cluster.client.client import Client
    from cluster.runtime.emulated.incluster.rest import RestTransport

    api = call.kernel.api
    if api is not None:
        token(call)  # that there is one is seen now
        return Client(api(functools.partial(_valid, call)), manager=manager)
    return Client(RestTransport(call), manager=manager)


def token(call: Call) -> str:
    """The token of the pod's service account. Outside."""
    return _text(call, "token").strip()


def _valid(call: Call) -> str:
    """The token as it is now: the kubelet renews it. errors.Unauthorized."""
    try:
        return token(call)
    except Outside as error:
        raise errors.Unauthorized(str(error)) from error


def namespace(call: Call) -> str:
    """The pod's namespace, `default` where nobody says."""
    try:
        return _text(call, "namespace").strip()
    except Outside:
        return "default"


def _text(call: Call, name: str) -> str:
    path = f"{FOLDER}/{name}"
    try:
        return call.files.read(path).decode(errors="replace")
    except OSError as error:
        why = (error.strerror or "no such file or directory").lower()
        raise Outside(f"open {path}: {why}") from error
