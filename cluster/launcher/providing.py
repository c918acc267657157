"""What processes on other hosts need to be one cluster: a folder of certificates and kubeconfigs
for each of them, with what that one may have and nothing else.

    DIR/authority/            the cluster's authority with its key, and the key of tokens; in etcd/
                              the authority of etcd alone
    DIR/apiserver/            for API servers; admin.conf, the administrator's kubeconfig
    DIR/scheduler/            DIR/controller-manager/   kubeconfig and serving certificate
    DIR/NODE/                 for kubelet and kube-proxy of that node
    DIR/etcd/                 for members of etcd, where there are some
    DIR/metrics/              kubeconfig and certificate of who reads /metrics

Done again, it keeps what fits and makes anew what does not: what runs out within 30 days, is of
another authority, or is for other names.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509

from cluster.launcher import certificates, files, kubeconfig, pki, topology
from cluster.launcher import plan as plans
from cluster.launcher.addressing import Addresses

AUTHORITY: Final = "authority"
METRICS: Final = "metrics"
ETCD_AUTHORITY: Final = "etcd-ca.crt"
"""Under this name API servers find who signed the certificates of etcd's members."""
SERVING: Final = "serving"
"""Under this name a component finds the certificate of its own port."""
READER: Final = pki.Subject("kubemu:metrics-reader", ("system:monitoring",))
"""Who scrapes: Kubernetes' own group for that, which may read /metrics and /healthz, and no
objects."""
_SELF: Final = ("localhost", plans.LOOPBACK)


@dataclass(frozen=True, slots=True)
class Site:
    """Where things are: URLs and addresses, as the other hosts see them."""

    nodes: Mapping[str, str]
    """The address of each node."""
    server: str
    """URL of the API server for components, and for people (`admin_server`)."""
    grpc: str
    """`host:port` of its gRPC."""
    admin_server: str = ""
    admin_grpc: str = ""
    api_hosts: tuple[str, ...] = ()
    """Names and addresses of API servers, beside those that they always have."""
    service_cidr: str = "10.96.0.0/12"
    cluster: str = topology.DEFAULT_NAME
    etcd: tuple[str, ...] = ()
    """The members of etcd, by which they are reached."""
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """More names of a component, by its folder."""


def provide(site: Site, folder: Path, now: float) -> list[str]:
    """Make the folders; the names of the files that were made. `now` is wall time, in seconds.

    faults.Fault where something cannot be written, or the authority cannot be used.
    """
    made = _Provider(site, folder, now)
    made.apiserver()
    for component in (plans.SCHEDULER, plans.CONTROLLER_MANAGER):
        made.component(component)
    made.signing()
    for node, address in site.nodes.items():
        made.node(node, address)
    made.reader()
    if site.etcd:
        made.etcd()
    return made.changed


class _Provider:
    """Makes one site's files. `changed` names those that it wrote, relative to the folder."""

    def __init__(self, site: Site, folder: Path, now: float) -> None:
        self.changed: list[str] = []
        self._site = site
        self._root = folder
        self._now = now
        nodes = tuple(topology.Node(name) for name in site.nodes)
        self._wanted = topology.Topology(
            name=site.cluster, service_cidr=site.service_cidr, nodes=nodes
        )
        self._subjects = plans.subjects(self._wanted)
        home = self._folder(AUTHORITY)
        fresh = not (home / "ca.crt").exists()
        self._authority = pki.ensure_authority(home, now)
        pki.ensure_service_account_key(home)
        if fresh:
            self.changed.append(f"{AUTHORITY}/ca.crt")

    def apiserver(self) -> None:
        """What API servers have."""
        site, folder = self._site, self._folder(plans.APISERVER)
        hosts = plans.hosts(self._wanted, Addresses(), site.api_hosts)
        self._serving(folder, plans.APISERVER, hosts)
        self._client(folder, plans.KUBELET_CLIENT, plans.KUBELET_CLIENT_SUBJECT)
        self._client(folder, plans.FRONT_PROXY, plans.FRONT_PROXY_SUBJECT)
        self._copy(folder, "ca.crt", "sa.key", "sa.pub")
        server, grpc = site.admin_server or site.server, site.admin_grpc or site.grpc
        self._kubeconfig(folder / "admin.conf", plans.ADMINISTRATOR, server, grpc)

    def component(self, name: str) -> None:
        """The kubeconfig and the serving certificate of scheduler or controller manager."""
        folder, site = self._folder(name), self._site
        self._kubeconfig(folder / f"{name}.conf", self._subjects[name], site.server, site.grpc)
        self._serving(folder, SERVING, (name, *site.hosts.get(name, ()), *_SELF))
        self._copy(folder, "ca.crt")

    def signing(self) -> None:
        """What the controller manager signs with."""
        self._copy(self._folder(plans.CONTROLLER_MANAGER), "ca.key", "sa.key")

    def node(self, name: str, address: str) -> None:
        """What a node has."""
        folder, site = self._folder(name), self._site
        for conf, subject in (
            ("kubelet", self._subjects[f"kubelet-{name}"]),
            ("kube-proxy", self._subjects["kube-proxy"]),
        ):
            self._kubeconfig(folder / f"{conf}.conf", subject, site.server, site.grpc)
        self._serving(folder, "kubelet", (name, address, *site.hosts.get(name, ()), *_SELF))
        self._copy(folder, "ca.crt")

    def reader(self) -> None:
        """What Prometheus has."""
        folder = self._folder(METRICS)
        self._client(folder, "client", READER)
        self._copy(folder, "ca.crt")

    def etcd(self) -> None:
        """What members of etcd have, and by what API servers are known to them."""
        folder, home = self._folder(plans.ETCD), self._root / AUTHORITY / plans.ETCD
        fresh = not (home / "ca.crt").exists()
        authority = pki.ensure_authority(home, self._now, pki.ETCD)
        if fresh:
            self._say(home / "ca.crt")
        for member in self._site.etcd:
            self._serving(folder, member, (member, *_SELF), by=authority, peer=True)
        self._keep(folder / "ca.crt", authority.pem)
        # What a member's own check of health shows.
        healthcheck = pki.Subject("kube-etcd-healthcheck-client")
        self._client(folder, "healthcheck", healthcheck, by=authority)
        apiserver = self._folder(plans.APISERVER)
        self._client(apiserver, plans.ETCD_CLIENT, plans.ETCD_CLIENT_SUBJECT, by=authority)
        self._keep(apiserver / ETCD_AUTHORITY, authority.pem)

    def _folder(self, name: str) -> Path:
        folder = self._root / name
        files.make_private(folder)
        return folder

    def _serving(
        self,
        folder: Path,
        name: str,
        hosts: tuple[str, ...],
        *,
        by: pki.Authority | None = None,
        peer: bool = False,
    ) -> None:
        def ensure(now: float) -> object:
            return pki.ensure_serving(folder, name, hosts, by or self._authority, now, peer=peer)

        self._kept(folder, name, ensure)

    def _client(
        self, folder: Path, name: str, subject: pki.Subject, *, by: pki.Authority | None = None
    ) -> None:
        authority = by or self._authority
        self._kept(
            folder, name, lambda now: pki.ensure_client(folder, name, subject, authority, now)
        )

    def _kept(self, folder: Path, name: str, ensure: Callable[[float], object]) -> None:
        """Let `ensure` judge the pair that is there, at a time to come; without it, make one."""
        pair = [folder / f"{name}.{kind}" for kind in ("crt", "key")]
        if any(path.exists() for path in pair):
            try:
                ensure(self._now + certificates.NEAR_SECONDS)
            except pki.Unusable:
                for path in pair:
                    path.unlink(missing_ok=True)
            else:
                return
        ensure(self._now)
        self._say(pair[0])

    def _copy(self, folder: Path, *names: str) -> None:
        for name in names:
            self._keep(folder / name, (self._root / AUTHORITY / name).read_bytes())

    def _keep(self, path: Path, content: bytes) -> None:
        if not path.exists() or path.read_bytes() != content:
            files.write_private(path, content)
            self._say(path)

    def _kubeconfig(self, path: Path, subject: pki.Subject, server: str, grpc: str) -> None:
        if path.exists() and self._good(path, server, grpc):
            return
        pair = self._authority.client(subject, self._now)
        access = kubeconfig.Access(server, grpc, self._authority.pem, pair.certificate, pair.key)
        cluster = self._site.cluster
        kubeconfig.write(path, kubeconfig.document(cluster, f"{cluster}-{path.stem}", access))
        self._say(path)

    def _good(self, path: Path, server: str, grpc: str) -> bool:
        """Whether a kubeconfig leads where it should, and will be believed for a while."""
        try:
            access = kubeconfig.access(path)
            certificate = x509.load_pem_x509_certificate(access.certificate)
        except (kubeconfig.Unreadable, ValueError):
            return False
        then = datetime.datetime.fromtimestamp(self._now + certificates.NEAR_SECONDS, datetime.UTC)
        return (
            (access.server, access.grpc, access.authority) == (server, grpc, self._authority.pem)
            and certificate.not_valid_after_utc > then
            and self._authority.issued(certificate)
        )

    def _say(self, path: Path) -> None:
        self.changed.append(str(path.relative_to(self._root)))
