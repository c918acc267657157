"""The cluster's certificate authority, as signing needs it: from a request to a certificate.

Pure but for the key: time and serial numbers come from outside. Source: k8s.io/kubernetes
pkg/controller/certificates/authority.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

BACKDATED: Final = datetime.timedelta(minutes=5)
SHORT: Final = datetime.timedelta(hours=8)
"""Certificates of a shorter life than this do not pay for being backdated."""

_KEY_USAGES: Final = {
    "signing": "digital_signature", "digital signature": "digital_signature",
    "content commitment": "content_commitment", "key encipherment": "key_encipherment",
    "key agreement": "key_agreement", "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign", "crl sign": "crl_sign", "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}  # fmt: skip
_FLAGS: Final = tuple(dict.fromkeys(_KEY_USAGES.values()))
_EXTENDED: Final = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}


@dataclass(frozen=True)
class Authority:
    """Signs with the key of a certificate, both in PEM. ValueError where they cannot be read."""

    certificate_pem: bytes
    key_pem: bytes

    def __post_init__(self) -> None:
        own: Any = self._certificate.public_key()
        if self._key.public_key() != own:
            raise ValueError("the key is not that of the certificate")

    @cached_property
    def _certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate_pem)

    @cached_property
    def _key(self) -> Any:
        return serialization.load_pem_private_key(self.key_pem, password=None)

    def sign(
        self,
        request: x509.CertificateSigningRequest,
        usages: Sequence[str],
        *,
        seconds: float,
        now: float,
        serial: int,
    ) -> bytes:
        """A certificate in PEM for what was asked, that ends no later than the authority's own.

        `seconds` is its life, `now` in seconds since the epoch, `serial` at most 159 bits.
        """
        moment = datetime.datetime.fromtimestamp(int(now), datetime.UTC)
        start, life = moment - BACKDATED, datetime.timedelta(seconds=seconds)
        end = (moment if life < SHORT else start) + life
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self._certificate.subject)
            .public_key(request.public_key())
            .serial_number(serial or 1)
            .not_valid_before(start)
            .not_valid_after(min(end, self._certificate.not_valid_after_utc))
        )
        for extension, critical in self._extensions(request, usages):
            builder = builder.add_extension(extension, critical=critical)
        return self._signed(builder).public_bytes(serialization.Encoding.PEM)

    def _extensions(
        self, request: x509.CertificateSigningRequest, usages: Sequence[str]
    ) -> list[tuple[x509.ExtensionType, bool]]:
        flags = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
        extended = list(dict.fromkeys(_EXTENDED[usage] for usage in usages if usage in _EXTENDED))
        found: list[tuple[x509.ExtensionType, bool]] = []
        if flags:
            found.append((_key_usage(flags), True))
        if extended:
            found.append((x509.ExtendedKeyUsage(extended), False))
        found.append((x509.BasicConstraints(ca=False, path_length=None), True))
        issuer: Any = self._certificate.public_key()
        found.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False))
        try:
            names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return found
        # Where nobody is named as the subject, its other names are all that there is to go by.
        return [*found, (names.value, not list(request.subject))]

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        if isinstance(self._key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
            return builder.sign(self._key, None)
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return builder.sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)
        if isinstance(self._key, rsa.RSAPrivateKey):
            return builder.sign(self._key, hashes.SHA256())
        raise ValueError("the authority's key is of a kind that cannot sign")


def _key_usage(flags: set[str]) -> x509.KeyUsage:
    given = {name: name in flags for name in _FLAGS}
    if not given["key_agreement"]:  # the two that follow mean something with it alone
        given["encipher_only"] = given["decipher_only"] = False
    return x509.KeyUsage(**given)
