"""Authentication: who a client certificate or a bearer token belongs to. Both faces use it.

As in Kubernetes, a certificate's common name is the user and its organizations are the groups, and
whoever is known belongs to `system:authenticated` as well. That a certificate is signed by the
right authority, TLS has seen to before.
"""

import csv
import hmac
from collections.abc import Iterable, Mapping, Sequence

from cluster.api import errors, identity

_CACHED = 4096

Subject = Sequence[Sequence[tuple[str, str]]]
"""A certificate's subject as `ssl.SSLSocket.getpeercert` has it: relative names of pairs."""


def unauthorized() -> errors.Unauthorized:
    """What somebody unknown is told."""
    return errors.Unauthorized("Unauthorized")


class Authenticator:
    """Knows users by certificate and by static token (token -> user)."""

    def __init__(self, tokens: Mapping[str, identity.User] | None = None) -> None:
        self._tokens = {
            token.encode(): _authenticated(user) for token, user in (tokens or {}).items()
        }
        self._read: dict[bytes, identity.User | None] = {}

    def by_header(self, authorization: str) -> identity.User:
        """The user of `Bearer TOKEN`. errors.Unauthorized."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            said = token.strip().encode(errors="surrogateescape")  # a header may hold any bytes
            for known, user in self._tokens.items():
                if hmac.compare_digest(known, said):
                    return user
        raise unauthorized()

    def by_certificate(self, subject: Subject) -> identity.User | None:
        """The user of a peer's subject, as the ssl module tells it; None where it names nobody."""
        pairs = [pair for relative in subject for pair in relative]
        return _user(
            [value for name, value in pairs if name == "commonName"],
            [value for name, value in pairs if name == "organizationName"],
        )

    def by_pem(self, certificate: bytes) -> identity.User | None:
        """The user of a certificate in PEM, as gRPC tells it; None where it names nobody."""
        if certificate in self._read:
            return self._read[certificate]
        if len(self._read) >= _CACHED:
            self._read.clear()
        found = self._read[certificate] = _from_pem(certificate)
        return found


def read_tokens(text: str) -> dict[str, identity.User]:
    """The static tokens of a file: lines of `token,user,uid` or `token,user,uid,"group,group"`.

    The format of kube-apiserver's --token-auth-file. ValueError that names the line.
    """
    found: dict[str, identity.User] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) < 3:
            raise ValueError(f"line {number}: a token line is token,user,uid and maybe groups")
        token, name, uid, *rest = (field.strip() for field in row)
        if not token or not name:
            raise ValueError(f"line {number}: token and user must not be empty")
        groups = tuple(group for group in (rest[0].split(",") if rest else ()) if group)
        found[token] = identity.User(name, groups, uid)
    return found


def _from_pem(certificate: bytes) -> identity.User | None:
    from cryptography import x509  # late: a server without TLS never needs it
    from cryptography.x509.oid import NameOID

    try:
        subject = x509.load_pem_x509_certificate(certificate).subject
    except ValueError:
        return None
    return _user(
        _texts(subject.get_attributes_for_oid(NameOID.COMMON_NAME)),
        _texts(subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)),
    )


def _texts(attributes: Iterable[object]) -> list[str]:
    return [str(getattr(attribute, "value", "")) for attribute in attributes]


def _user(names: Sequence[str], groups: Sequence[str]) -> identity.User | None:
    if not names or not names[0]:
        return None
    return _authenticated(identity.User(names[0], tuple(groups)))


def _authenticated(user: identity.User) -> identity.User:
    if identity.AUTHENTICATED in user.groups:
        return user
    return identity.User(user.name, (*user.groups, identity.AUTHENTICATED), user.uid)
