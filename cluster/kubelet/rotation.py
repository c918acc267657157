"""A kubelet's own certificates: asked for by a CertificateSigningRequest before they end.

Source: k8s.io/client-go/util/certificate. A certificate is asked for anew at 70 to 90% of its life,
with a new key. It is kept as there: `NAME-DATE.pem`, certificate and key, and the link
`NAME-current.pem` to the newest. Who uses it looks at the link.
"""

import asyncio
import base64
import datetime
import ipaddress
import os
import random as randoms
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from cluster.aio.backoff import Backoff
from cluster.aio.clock import Clock
from cluster.api import certificates, errors, objects
from cluster.client.client import Client

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

REQUESTS: Final = "certificatesigningrequests.certificates.k8s.io"
WAIT_SECONDS: Final = 900.0
"""How long a request is waited for; then another is made."""
BACKDATED_SECONDS: Final = 300.0
"""By so much the controller manager's signer dates certificates back."""
CLIENT: Final = "kubelet-client"
SERVER: Final = "kubelet-server"
_LONGEST_SLEEP: Final = 3600.0


class Refused(Exception):
    """The request was denied, or the signer could not sign; the message says which."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a certificate is for: CLIENT or SERVER of a node, and where the server is reached."""

    name: str
    node: str
    hosts: tuple[str, ...] = ()

    @property
    def signer(self) -> str:
        """Who signs it."""
        return certificates.KUBELET_CLIENT if self.name == CLIENT else certificates.KUBELET_SERVING

    @property
    def usages(self) -> list[str]:
        """What it may be used for: those of a key of ECDSA."""
        return ["digital signature", "client auth" if self.name == CLIENT else "server auth"]


def current(folder: Path, name: str) -> Path:
    """The link to the newest certificate and key."""
    return folder / f"{name}-current.pem"


def due(begins: float, ends: float, random: randoms.Random) -> float:
    """When a certificate of this life is asked for anew: after 70 to 90% of it.

    Signers backdate what they sign; that is no part of the life of one that lives for minutes.
    """
    if ends - begins > BACKDATED_SECONDS:
        begins += BACKDATED_SECONDS
    return begins + (ends - begins) * (0.7 + 0.2 * random.random())


def life(pem: bytes) -> tuple[float, float]:
    """When a certificate (PEM) begins and ends, in seconds since the epoch. ValueError."""
    from cryptography import x509

    found = x509.load_pem_x509_certificate(pem)
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()


class Rotation:
    """Keeps one certificate of a kubelet good; a component of its process."""

    def __init__(
        self,
        purpose: Purpose,
        folder: Path,
        client: Client,
        clock: Clock,
        random: randoms.Random,
        *,
        first: bytes = b"",
        kept: Callable[[], None] | None = None,
    ) -> None:
        """`first` is the certificate (PEM) that it has until one is kept in `folder`; `kept` is
        called when there is a new one.
        """
        self._first = first
        self._kept = kept or (lambda: None)
        self._purpose = purpose
        self._folder = folder
        self._client = client
        self._clock = clock
        self._random = random
        self._log = structlog.get_logger().bind(certificate=purpose.name)
        self.ready = asyncio.Event()
        self.ready.set()

    async def run(self) -> None:
        """Renew again and again, until cancelled."""
        backoff = Backoff(self._random, initial=2.0, maximum=128.0)
        deadline = self._deadline()
        while True:
            left = deadline - self._clock.now()
            if left > 0:
                await asyncio.sleep(min(left, _LONGEST_SLEEP))
                continue
            try:
                await self.renew()
            except (errors.StatusError, Refused, TimeoutError, OSError, ValueError) as error:
                self._log.error("the certificate was not renewed", error=str(error))
                await asyncio.sleep(backoff.next())
                continue
            backoff = Backoff(self._random, initial=2.0, maximum=128.0)
            deadline = self._deadline()

    async def renew(self) -> None:
        """Ask for a certificate, wait for it, and keep it. TimeoutError after WAIT_SECONDS."""
        key, request = _request(self._purpose)
        made = await self._client.create(REQUESTS, _object(self._purpose, request))
        async with asyncio.timeout(WAIT_SECONDS):
            certificate = await self._issued(objects.name(made))
        self._keep(certificate + key)
        self._kept()
        self._log.info("the certificate was renewed", request=objects.name(made))

    def _deadline(self) -> float:
        """When the present one is to be asked for anew; at once where there is none."""
        path = current(self._folder, self._purpose.name)
        try:
            begins, ends = life(path.read_bytes() if path.exists() else self._first)
        except (OSError, ValueError):
            return self._clock.now()
        return due(begins, ends, self._random)

    async def _issued(self, name: str) -> bytes:
        """The certificate, as soon as it is signed. Refused."""
        backoff = Backoff(self._random, initial=0.1, maximum=5.0, jitter=0.1)
        while True:
            status = objects.status(await self._client.get(REQUESTS, name))
            for condition in status.get("conditions") or ():
                if condition.get("type") in (certificates.DENIED, certificates.FAILED):
                    why = condition.get("message") or condition.get("reason") or ""
                    raise Refused(f"request {name}: {condition['type']}: {why}")
            if status.get("certificate"):
                return base64.b64decode(status["certificate"])
            await asyncio.sleep(backoff.next())

    def _keep(self, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        moment = datetime.datetime.fromtimestamp(self._clock.now(), datetime.UTC)
        name = self._purpose.name
        path = self._folder / f"{name}-{moment:%Y-%m-%d-%H-%M-%S}.pem"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        link = current(self._folder, name)
        beside = link.with_name(f".{link.name}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(path.name)
        beside.replace(link)
        for old in self._folder.glob(f"{name}-2*.pem"):
            if old != path:
                old.unlink()


def _object(purpose: Purpose, request: bytes) -> objects.Object:
    prefix = "csr-" if purpose.name == CLIENT else "csr-server-"
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": prefix},
        "spec": {
            "request": base64.b64encode(request).decode(),
            "signerName": purpose.signer,
            "usages": purpose.usages,
        },
    }


def _request(purpose: Purpose) -> tuple[bytes, bytes]:
    """A new private key and a request that it signed, both in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    attribute: Any = x509.NameAttribute
    subject = [
        attribute(NameOID.ORGANIZATION_NAME, certificates.NODES),
        attribute(NameOID.COMMON_NAME, f"system:node:{purpose.node}", _validate=False),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if purpose.hosts:
        names = x509.SubjectAlternativeName(_names(purpose.hosts))
        builder = builder.add_extension(names, critical=False)
    request = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return _private(key), request


def ended() -> bytes:
    """A certificate and its key, in PEM, that nobody believes: of no authority, and long over. It
    is shown until there is one.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    nobody, day = x509.Name([]), datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(nobody, nobody, key.public_key(), x509.random_serial_number())
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + _private(key)


def _private(key: "ec.EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _names(hosts: Sequence[str]) -> "list[x509.GeneralName]":
    from cryptography import x509

    found: list[x509.GeneralName] = []
    for host in dict.fromkeys(hosts):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            found.append(x509.DNSName(host))
    return found
