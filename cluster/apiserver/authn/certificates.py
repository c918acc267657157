"""Client certificates: the common name is the user, the organizations are the groups.

That a certificate is signed by the right authority, TLS has seen to before.
"""

import hashlib
from collections.abc import Iterable, Sequence

from cluster.api import identity

_CACHED = 4096

Subject = Sequence[Sequence[tuple[str, str]]]
"""A certificate's subject as `ssl.SSLSocket.getpeercert` has it: relative names of pairs."""


class Certificates:
    """Reads certificates, each once while it is in use."""

    def __init__(self) -> None:
        self._read: dict[bytes, tuple[identity.User | None, float]] = {}

    def by_pem(self, certificate: bytes) -> tuple[identity.User | None, float]:
        """The user of a certificate in PEM, as gRPC tells it, None where it names nobody; and until
        when it is good, in seconds since the epoch.
        """
        found = self._read.get(certificate)
        if found is not None:
            return found
        if len(self._read) >= _CACHED:
            self._read.clear()
        found = self._read[certificate] = _from_pem(certificate)
        return found


def by_subject(subject: Subject, der: bytes = b"") -> identity.User | None:
    """The user of a peer's subject, as the ssl module tells it; None where it names nobody.

    `der` is the whole certificate: its hash becomes the credential's id.
    """
    pairs = [pair for relative in subject for pair in relative]
    return _user(
        [value for name, value in pairs if name == "commonName"],
        [value for name, value in pairs if name == "organizationName"],
        der,
    )


def common_name(subject: Subject) -> str:
    """The common name of a subject, "" where it has none."""
    for relative in subject:
        for name, value in relative:
            if name == "commonName":
                return value
    return ""


def _from_pem(certificate: bytes) -> tuple[identity.User | None, float]:
    from cryptography import x509  # late: a server without TLS never needs it
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    try:
        read = x509.load_pem_x509_certificate(certificate)
    except ValueError:
        return None, float("inf")
    user = _user(
        _texts(read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)),
        _texts(read.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)),
        read.public_bytes(Encoding.DER),
    )
    return user, read.not_valid_after_utc.timestamp()


def _texts(attributes: Iterable[object]) -> list[str]:
    return [str(getattr(attribute, "value", "")) for attribute in attributes]


def _user(names: Sequence[str], groups: Sequence[str], der: bytes) -> identity.User | None:
    if not names or not names[0]:
        return None
    extra: identity.Extra = ()
    if der:
        digest = hashlib.sha256(der).hexdigest()
        extra = ((identity.CREDENTIAL_ID, (f"X509SHA256={digest}",)),)
    return identity.authenticated(identity.User(names[0], tuple(groups), extra=extra))
