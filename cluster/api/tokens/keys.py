"""Keys of service account tokens: PEM in, signatures and JSON Web Keys out.

RS256 for RSA keys, ES256, ES384 and ES512 for the curves of NIST, as kube-apiserver takes them
(RFC 7518). Signatures are deterministic (RFC 6979 for the curves), so that the lab's tokens are
the same for the same seed. A key is known by the hash of its public half, as in Kubernetes.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any

_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_CURVE_NAMES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_COORDINATE_BYTES = {"ES256": 32, "ES384": 48, "ES512": 66}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What tokens are verified with. `id` is the token header's `kid`, `key` cryptography's."""

    id: str
    algorithm: str
    key: Any

    def jwk(self) -> dict[str, str]:
        """The JSON Web Key (RFC 7517) that /openid/v1/jwks publishes."""
        numbers = self.key.public_numbers()
        if self.algorithm == "RS256":
            head = {"use": "sig", "kty": "RSA", "kid": self.id, "alg": self.algorithm}
            return head | {"n": _number(numbers.n), "e": _number(numbers.e)}
        size = _COORDINATE_BYTES[self.algorithm]
        return {
            "use": "sig",
            "kty": "EC",
            "kid": self.id,
            "crv": _CURVE_NAMES[self.algorithm],
            "alg": self.algorithm,
            "x": encoded(numbers.x.to_bytes(size, "big")),
            "y": encoded(numbers.y.to_bytes(size, "big")),
        }


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What tokens are signed with."""

    public: PublicKey
    key: Any

    def sign(self, message: bytes) -> bytes:
        """A JWS signature (RFC 7515)."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

        if self.public.algorithm == "RS256":
            return bytes(self.key.sign(message, padding.PKCS1v15(), hashes.SHA256()))
        algorithm = self.public.algorithm
        digest: Any = {"ES256": hashes.SHA256, "ES384": hashes.SHA384, "ES512": hashes.SHA512}[
            algorithm
        ]
        method = ec.ECDSA(digest(), deterministic_signing=_deterministic(digest))
        r, s = utils.decode_dss_signature(self.key.sign(message, method))
        size = _COORDINATE_BYTES[algorithm]
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def signing_key(pem: bytes) -> SigningKey:
    """The key that --service-account-signing-key-file holds. ValueError."""
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(pem, None)
    except (TypeError, ValueError) as error:
        raise ValueError(f"no private key in PEM without a password: {error}") from None
    return SigningKey(_public(key.public_key()), key)


def public_keys(pem: bytes) -> list[PublicKey]:
    """All keys of a file of --service-account-key-file: public, private or of certificates.

    ValueError where there is none, or one of a kind that Kubernetes does not take.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    found: list[PublicKey] = []
    for block in _BLOCK.finditer(pem):
        kind, text = block[1], block[0]
        if kind.endswith(b"PRIVATE KEY"):
            found.append(signing_key(text).public)
        elif kind == b"CERTIFICATE":
            found.append(_public(x509.load_pem_x509_certificate(text).public_key()))
        elif kind.endswith(b"PUBLIC KEY"):
            found.append(_public(serialization.load_pem_public_key(text)))
    if not found:
        raise ValueError("no key in PEM")
    return found


def encoded(data: bytes) -> str:
    """base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _public(key: Any) -> PublicKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPublicKey):
        algorithm = "RS256"
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        algorithm = _CURVES[key.curve.name]
    else:
        raise ValueError("service account keys are RSA, or ECDSA on P-256, P-384 or P-521")
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PublicKey(encoded(hashlib.sha256(der).digest()), algorithm, key)


_KNOWN_DETERMINISTIC: list[bool] = []


def _deterministic(digest: Any) -> bool:
    """Whether this OpenSSL (3.2 and later) can sign deterministically."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec

    if not _KNOWN_DETERMINISTIC:
        try:
            ec.ECDSA(digest(), deterministic_signing=True)
            _KNOWN_DETERMINISTIC.append(True)
        except UnsupportedAlgorithm:
            _KNOWN_DETERMINISTIC.append(False)
    return _KNOWN_DETERMINISTIC[0]


def _number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))
