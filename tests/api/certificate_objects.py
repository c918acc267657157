"""Requests and certificates for tests: always the same, of keys that are no secret."""

import base64
import datetime
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
_PEM, _DER = serialization.Encoding.PEM, serialization.Encoding.DER


def _name(common: str, organizations: Sequence[str] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def request(
    common: str = "jane",
    organizations: Sequence[str] = (),
    names: Sequence[x509.GeneralName] = (),
) -> x509.CertificateSigningRequest:
    """A request of a certificate."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(common, organizations))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, None)


def encoded(made: x509.CertificateSigningRequest) -> str:
    """As spec.request has it."""
    return base64.b64encode(made.public_bytes(_PEM)).decode()


def stub() -> str:
    """As spec.stubPKCS10Request has it."""
    return base64.b64encode(request("stub").public_bytes(_DER)).decode()


def authority(common: str = "test-ca", *, ca: bool = True) -> str:
    """A certificate in PEM, signed by itself."""
    start = datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC)
    name = _name(common)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(KEY, None)
        .public_bytes(_PEM)
        .decode()
    )
