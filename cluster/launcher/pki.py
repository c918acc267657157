"""The cluster's certificates: one authority, serving certificates, client certificates.

Names and lifetimes are kubeadm's (kubernetes.io/docs/setup/best-practices/certificates); a user's
name is the common name and its groups are the organisations. Keys are ECDSA P-256: an RSA key
takes a thousand times as long to make. (So is the key of service account tokens: ES256 is
as good to clients as RS256, and kube-apiserver takes both.) Files are `NAME.crt` and `NAME.key`, of
mode 0600.
"""

import datetime
import ipaddress
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.api import faults
from cluster.launcher import files

AUTHORITY_LIFETIME: Final = datetime.timedelta(days=3650)
LEAF_LIFETIME: Final = datetime.timedelta(days=365)
CLUSTER: Final = "kubernetes"
"""The name of a cluster's authority: kubeadm's."""
ETCD: Final = "etcd-ca"
"""The name of etcd's own, for whoever etcd believes may read and write everything."""
# Clocks of other machines may be a little behind.
_BACKDATED: Final = datetime.timedelta(minutes=5)


class Unusable(faults.Fault):
    """Certificates that are there do not fit; the message is one sentence with a way out."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a client certificate speaks for."""

    user: str
    groups: tuple[str, ...] = ()


class Authority:
    """Issues certificates. `now` is the wall time in seconds since the epoch; `path` is where it is
    kept, for messages.
    """

    def __init__(
        self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, path: str = "ca.crt"
    ) -> None:
        self._certificate = certificate
        self._key = key
        self.path = path
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    @classmethod
    def create(cls, now: float, name: str = CLUSTER, path: str = "ca.crt") -> "Authority":
        """A new authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(Subject(name))
        certificate = (
            _builder(subject, subject, key.public_key(), now, AUTHORITY_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(_identifier(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key, path)

    @property
    def pair(self) -> Pair:
        """The authority's own certificate and key."""
        return Pair(self.pem, _key_pem(self._key))

    def serving(self, name: str, hosts: Iterable[str], now: float) -> Pair:
        """A certificate for a server that is reached by any of `hosts` (names and addresses)."""
        return self._issue(Subject(name), hosts, (ExtendedKeyUsageOID.SERVER_AUTH,), now)

    def peer(self, name: str, hosts: Iterable[str], now: float) -> Pair:
        """A certificate for one of several servers, which are clients of each other."""
        usages = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._issue(Subject(name), hosts, usages, now)

    def client(self, subject: Subject, now: float) -> Pair:
        """A certificate by which a client is known as `subject`."""
        return self._issue(subject, (), (ExtendedKeyUsageOID.CLIENT_AUTH,), now)

    def again(self, certificate: x509.Certificate, now: float) -> Pair:
        """A certificate for what `certificate` is for, with a key of its own and a new life."""
        key = ec.generate_private_key(ec.SECP256R1())
        authority = self._certificate
        builder = _builder(
            certificate.subject, authority.subject, key.public_key(), now, LEAF_LIFETIME
        )
        for extension in certificate.extensions:
            if not isinstance(extension.value, x509.AuthorityKeyIdentifier):
                builder = builder.add_extension(extension.value, critical=extension.critical)
        builder = builder.add_extension(_issuer_identifier(authority), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return Pair(signed.public_bytes(serialization.Encoding.PEM), _key_pem(key))

    def issued(self, certificate: x509.Certificate) -> bool:
        """Whether this authority signed it."""
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True

    def _issue(
        self,
        subject: Subject,
        hosts: Iterable[str],
        usages: Iterable[x509.ObjectIdentifier],
        now: float,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        names = [_general_name(host) for host in hosts]
        authority = self._certificate
        builder = (
            _builder(_name(subject), authority.subject, key.public_key(), now, LEAF_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_issuer_identifier(authority), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def ensure_authority(folder: Path, now: float, name: str = CLUSTER) -> Authority:
    """The authority kept in `folder` as `ca.crt` and `ca.key`; where there is none, a new
    one of this name.

    Unusable where what is there does not fit; files.Unwritable.
    """
    certificate_path, key_path = _paths(folder, "ca")
    if not certificate_path.exists() and not key_path.exists():
        files.make_private(folder)
        authority = Authority.create(now, name, str(certificate_path))
        _write(folder, "ca", authority.pair)
        return authority
    certificate, key = _read(folder, "ca")
    _check_lifetime(certificate, certificate_path, now)
    return Authority(certificate, key, str(certificate_path))


def ensure_serving(
    folder: Path,
    name: str,
    hosts: Iterable[str],
    authority: Authority,
    now: float,
    *,
    peer: bool = False,
) -> Pair:
    """The serving certificate kept as `name`.crt, covering all `hosts`; issued where absent. One of
    a `peer` is for calls to others of its kind as well.

    Unusable where the one that is there does not fit; files.Unwritable.
    """
    wanted = list(dict.fromkeys(hosts))
    if not any(path.exists() for path in _paths(folder, name)):
        issue = authority.peer if peer else authority.serving
        pair = issue(f"kube-{name}", wanted, now)
        _write(folder, name, pair)
        return pair
    certificate, _ = _read(folder, name)
    path = folder / f"{name}.crt"
    _check_lifetime(certificate, path, now)
    if not authority.issued(certificate):
        raise Unusable(f"{path} was not issued by {authority.path}; remove both to start anew")
    missing = [host for host in wanted if _general_name(host) not in _hosts(certificate)]
    if missing:
        raise Unusable(
            f"{path} does not cover {', '.join(missing)}; remove it to have it issued again"
        )
    return Pair(*(file.read_bytes() for file in _paths(folder, name)))


def ensure_client(
    folder: Path, name: str, subject: Subject, authority: Authority, now: float
) -> None:
    """The client certificate of `subject`, kept as `name`.crt; issued where absent.

    Unusable where the one that is there does not fit; files.Unwritable.
    """
    if not any(path.exists() for path in _paths(folder, name)):
        _write(folder, name, authority.client(subject, now))
        return
    certificate, _ = _read(folder, name)
    path = folder / f"{name}.crt"
    _check_lifetime(certificate, path, now)
    if not authority.issued(certificate):
        raise Unusable(f"{path} was not issued by {authority.path}; remove both to start anew")


def forget_issued(folder: Path, name: str, authority: Authority) -> None:
    """Remove `name`.crt and its key where `authority` signed it."""
    certificate, key = _paths(folder, name)
    try:
        issued = authority.issued(x509.load_pem_x509_certificate(certificate.read_bytes()))
    except (OSError, ValueError):
        return
    if issued:
        certificate.unlink()
        key.unlink(missing_ok=True)


def ensure_service_account_key(folder: Path) -> None:
    """The key pair of service account tokens, kept as `sa.key` and `sa.pub`; made where absent.

    Unusable where what is there is no key; files.Unwritable.
    """
    path, public = folder / "sa.key", folder / "sa.pub"
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise Unusable(
                f"{path} is not a usable key ({error}); remove it for a new one"
            ) from error
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        files.write_private(path, _key_pem(key))
    if not public.exists():
        files.write_private(
            public,
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        )


def _read(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_path, key_path = _paths(folder, name)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise Unusable(
            f"{certificate_path} and {key_path} are not a usable pair ({error}); "
            f"remove {folder} to have all certificates issued again"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != (
        key.public_key()
    ):
        raise Unusable(
            f"{key_path} is not the key of {certificate_path}; "
            f"remove {folder} to have all certificates issued again"
        )
    return certificate, key


def _write(folder: Path, name: str, pair: Pair) -> None:
    certificate_path, key_path = _paths(folder, name)
    files.write_private(key_path, pair.key)
    files.write_private(certificate_path, pair.certificate)


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.crt", folder / f"{name}.key"


def _check_lifetime(certificate: x509.Certificate, path: Path, now: float) -> None:
    moment = _moment(now)
    if not certificate.not_valid_before_utc <= moment < certificate.not_valid_after_utc:
        raise Unusable(
            f"{path} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} to "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}, not now; "
            f"remove {path.parent} to have all certificates issued again"
        )


def _hosts(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(found.value)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: float,
    lifetime: datetime.timedelta,
) -> x509.CertificateBuilder:
    start = _moment(now)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _BACKDATED)
        .not_valid_after(start + lifetime)
    )


def _name(subject: Subject) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.groups]
    # RFC 5280 allows 64 characters in a common name; Go, and so Kubernetes, does not mind longer
    # ones, and `system:node:` before a node's name may need them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        common = x509.NameAttribute(NameOID.COMMON_NAME, subject.user, _validate=False)
    return x509.Name([*groups, common])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _identifier(key: ec.EllipticCurvePublicKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key)


def _issuer_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    known = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known.value)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _moment(now: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now, datetime.UTC).replace(microsecond=0)
