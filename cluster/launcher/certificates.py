"""The certificates of a cluster's folder: when they end, and how they are issued anew.

Names and what is said of them are kubeadm's (kubeadm certs check-expiration, kubeadm certs renew).
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from cluster.api import faults
from cluster.launcher import files, kubeconfig, pki, plan, state

NEAR_SECONDS: Final = 30 * 86400.0
"""What ends within this time is issued anew by `kubemu up` and `kubemu init`."""
ADMIN: Final = "admin.conf"
_TOLD: Final = {
    "apiserver": "certificate for serving the Kubernetes API",
    "apiserver-kubelet-client": "certificate for the API server to connect to kubelet",
    "front-proxy-client": "certificate for the front proxy client",
    plan.ETCD_CLIENT: "certificate the apiserver uses to access etcd",
    f"etcd-{plan.ETCD_SERVER}": "certificate for serving etcd",
    f"etcd-{plan.ETCD_PEER}": "certificate for etcd nodes to communicate with each other",
    ADMIN: "certificate embedded in the kubeconfig file for the admin to use",
}
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)


class Unknown(faults.Fault):
    """There is no certificate of this name; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate that an authority of the cluster signed: in a file, or in a kubeconfig."""

    name: str
    path: Path
    certificate: x509.Certificate
    authority: str = "ca"
    """Which of the folder's authorities is the one for it."""

    @property
    def embedded(self) -> bool:
        """Whether it is in a kubeconfig."""
        return self.path.suffix == ".conf" or self.path.name == "kubeconfig"

    @property
    def ends(self) -> float:
        """Seconds since the epoch."""
        return self.certificate.not_valid_after_utc.timestamp()

    @property
    def told(self) -> str:
        """What it is for."""
        known = _TOLD.get(self.name)
        if known is None and self.embedded:
            user = self.name.removesuffix(".conf")
            known = f"certificate embedded in the kubeconfig file for {user} to use"
        return known or f"certificate for serving {self.name}"


def authority_ends(folder: state.Folder) -> dict[str, float]:
    """When the cluster's authorities end, in seconds since the epoch, by name. pki.Unusable."""
    return {
        name: _of_file(place / "ca.crt").not_valid_after_utc.timestamp()
        for name, place in _places(folder).items()
    }


def leaves(folder: state.Folder) -> list[Leaf]:
    """All certificates but the authority's, by name. pki.Unusable, kubeconfig.Unreadable."""
    found = [
        Leaf(name, path, _of_file(path), authority) for name, path, authority in _files(folder)
    ]
    configs = [(ADMIN, folder.kubeconfig)]
    configs += [(path.name, path) for path in sorted(folder.conf.glob("*.conf"))]
    found += [Leaf(name, path, _of_kubeconfig(path)) for name, path in configs if path.exists()]
    return sorted(found, key=lambda leaf: leaf.name)


def renew(folder: state.Folder, name: str, now: float) -> list[Leaf]:
    """Issue `name` anew, or "all"; those issued. Unknown, pki.Unusable, files.Unwritable."""
    known = leaves(folder)
    wanted = known if name == "all" else [leaf for leaf in known if leaf.name == name]
    if not wanted:
        names = ", ".join(leaf.name for leaf in known)
        raise Unknown(f"there is no certificate {name}: known are all, {names}")
    authorities = _authorities(folder, now)
    for leaf in wanted:
        _issue(leaf, authorities[leaf.authority], now)
    return wanted


def renew_due(folder: state.Folder, now: float) -> list[str]:
    """Issue anew what of the files ends soon, or has ended; their names.

    What cannot be read, or another authority signed, is left for those to complain of who need it.
    """
    done = []
    authorities = _authorities(folder, now)
    for name, path, by in _files(folder):
        try:
            leaf = Leaf(name, path, _of_file(path), by)
        except pki.Unusable:
            continue
        authority = authorities[by]
        if leaf.ends - now < NEAR_SECONDS and authority.issued(leaf.certificate):
            _issue(leaf, authority, now)
            done.append(leaf.name)
    return done


def residual(seconds: float) -> str:
    """As kubeadm tells how long something is good: `9y`, `364d`, `5h`, `<invalid>`."""
    if seconds < 0:
        return "<invalid>"
    for size, letter in ((365 * 86400, "y"), (86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and not (letter == "y" and seconds < 2 * size):
            return f"{int(seconds // size)}{letter}"
    return f"{int(seconds)}s"


def _places(folder: state.Folder) -> dict[str, Path]:
    """Where the authorities are that the cluster has, by kubeadm's names."""
    places = {"ca": folder.pki, pki.ETCD: folder.etcd_pki}
    return {
        name: place
        for name, place in places.items()
        if name == "ca" or place.joinpath("ca.crt").exists()
    }


def _authorities(folder: state.Folder, now: float) -> dict[str, pki.Authority]:
    return {name: pki.ensure_authority(place, now) for name, place in _places(folder).items()}


def _files(folder: state.Folder) -> Iterator[tuple[str, Path, str]]:
    """Name, path and authority of each certificate that is a file, in order of paths."""
    places = _places(folder)
    for path in sorted(folder.pki.glob("*.crt")):
        if path.stem != "ca":
            etcds = path.stem == plan.ETCD_CLIENT and pki.ETCD in places
            yield path.stem, path, pki.ETCD if etcds else "ca"
    if pki.ETCD in places:
        for path in sorted(folder.etcd_pki.glob("*.crt")):
            if path.stem != "ca":
                yield f"etcd-{path.stem}", path, pki.ETCD


def _issue(leaf: Leaf, authority: pki.Authority, now: float) -> None:
    pair = authority.again(leaf.certificate, now)
    if not leaf.embedded:
        files.write_private(leaf.path.with_suffix(".key"), pair.key)
        files.write_private(leaf.path, pair.certificate)
        return
    config = kubeconfig.read(leaf.path)
    for entry in config["users"]:
        user = entry.get("user") or {}
        if "client-certificate-data" in user:
            user["client-certificate-data"] = base64.b64encode(pair.certificate).decode()
            user["client-key-data"] = base64.b64encode(pair.key).decode()
    kubeconfig.write(leaf.path, config)


def _of_file(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise pki.Unusable(f"{path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise pki.Unusable(f"{path} is no certificate ({error})") from error


def _of_kubeconfig(path: Path) -> x509.Certificate:
    try:
        found = next(_embedded(path))
        return x509.load_pem_x509_certificate(found)
    except (StopIteration, ValueError) as error:
        raise pki.Unusable(f"{path} has no certificate that can be read") from error


def _embedded(path: Path) -> Iterator[bytes]:
    for entry in kubeconfig.read(path).get("users") or ():
        text = (entry.get("user") or {}).get("client-certificate-data", "")
        try:
            yield from _CERTIFICATE.findall(base64.b64decode(text))
        except binascii.Error as error:
            raise ValueError(str(error)) from error
