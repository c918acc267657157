"""Certificates of hosts by SNI, out of Secrets of the type kubernetes.io/tls."""

import base64
import binascii
import ssl
import tempfile
from collections.abc import Callable
from functools import lru_cache

from cluster.api import objects


def pair(secret: objects.Object | None) -> bytes | None:
    """Key and certificate of a Secret, in PEM; None where it has none that can be used."""
    data = (secret or {}).get("data") or {}
    try:
        parts = [base64.b64decode(str(data.get(key) or ""), validate=True)
                 for key in ("tls.key", "tls.crt")]  # fmt: skip
    except (binascii.Error, ValueError):
        return None
    made = b"\n".join(parts)
    if not all(parts):
        return None
    try:
        context(made)
    except (ssl.SSLError, OSError, ValueError):
        return None
    return made


@lru_cache(256)
def context(pem: bytes) -> ssl.SSLContext:
    """A server's side of TLS with this key and certificate. ssl.SSLError."""
    return _loaded(pem)


def _loaded(pem: bytes) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    with tempfile.NamedTemporaryFile() as file:
        # The library reads files alone; this one is its owner's, and gone at once.
        file.write(pem)
        file.flush()
        made.load_cert_chain(file.name)
    return made


def by_name(choose: Callable[[str], bytes | None], default: bytes) -> ssl.SSLContext:
    """One that takes the certificate that `choose` has for the host that a client names."""
    made = _loaded(default)

    def named(connection: ssl.SSLObject, host: str | None, _context: ssl.SSLContext) -> None:
        pem = choose((host or "").lower())
        if pem is not None:
            connection.context = context(pem)

    made.sni_callback = named
    return made


def fake() -> bytes:
    """The certificate of hosts that have none: nobody's."""
    # Imported here: it is made once.
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Acme Co"),
        x509.NameAttribute(
            x509.NameOID.COMMON_NAME, "Kubernetes Ingress Controller Fake Certificate"
        ),
    ])  # fmt: skip
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(datetime.datetime(2000, 1, 1))  # noqa: DTZ001
        .not_valid_after(datetime.datetime(2100, 1, 1))  # noqa: DTZ001
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ingress.local")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(pem, kind, plain) + made.public_bytes(pem)
