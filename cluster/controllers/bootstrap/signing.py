"""The ConfigMap cluster-info: what is in it, and its signatures. Pure.

A signature is a JSON Web Signature (RFC 7515) whose content is left out, for it stands beside it.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import msgspec

KUBECONFIG: Final = "kubeconfig"
SIGNATURE: Final = "jws-kubeconfig-"
_encode = msgspec.json.Encoder().encode


def signed(data: Mapping[str, str], tokens: Mapping[str, str]) -> dict[str, str]:
    """The ConfigMap's data with one signature a token (secrets by id), and no others."""
    kept = {key: value for key, value in data.items() if not key.startswith(SIGNATURE)}
    content = data[KUBECONFIG]
    return kept | {SIGNATURE + one: signature(content, one, tokens[one]) for one in sorted(tokens)}


def signature(content: str, id: str, secret: str) -> str:
    """`HEADER..SIGNATURE`, HS256, without the content that it signs."""
    header = _part(_encode({"alg": "HS256", "kid": id}))
    message = f"{header}.{_part(content.encode())}".encode()
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)
    return f"{header}..{_part(digest)}"


def kubeconfig(server: str, authority: str) -> str:
    """A kubeconfig without users: where the API is, and the CA (PEM) that vouches for it.

    As kubeadm writes it.
    """
    encoded = base64.b64encode(authority.encode()).decode()
    return (
        "apiVersion: v1\n"
        "clusters:\n"
        "- cluster:\n"
        f"    certificate-authority-data: {encoded}\n"
        f"    server: {server}\n"
        '  name: ""\n'
        "contexts: null\n"
        'current-context: ""\n'
        "kind: Config\n"
        "preferences: {}\n"
        "users: null\n"
    )


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
