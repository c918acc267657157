"""The settings of an API server."""

import ipaddress
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cluster.aio.grpcserver import ServerTls
from cluster.api import identity
from cluster.apiserver import addons, bootstrap, compaction, expiry
from cluster.apiserver.admission import defaults
from cluster.apiserver.audit import settings as audit_settings
from cluster.apiserver.authn import requestheader, serviceaccounts
from cluster.apiserver.authz import modes
from cluster.apiserver.encryption import settings as encryption_settings
from cluster.apiserver.fairness import settings as fairness_settings
from cluster.apiserver.kubelets import location
from cluster.apiserver.limits import Limits
from cluster.client.channel import ChannelTls


@dataclass(frozen=True, slots=True)
class Config:
    """ValueError with a sentence where a setting cannot be used.

    `host` and `port` are where REST is served, `grpc_address` (`host:port` or `unix:path`) where
    gRPC is; port 0 takes a free one, and "" as `grpc_address` serves no gRPC. Without
    `ssl_context` REST is plain HTTP, without `grpc_tls` gRPC is not encrypted; then only tokens
    tell who asks.

    `tokens` are static bearer tokens and their users. `advertise` is the address at which pods
    reach the API (kube-apiserver's --advertise-address), "" for none. `version` is the Kubernetes
    version emulated (`1.37`), "" for the newest known.
    """

    host: str = "127.0.0.1"
    port: int = 6443
    ssl_context: ssl.SSLContext | None = None
    grpc_address: str = "127.0.0.1:6444"
    grpc_tls: ServerTls | None = None
    tokens: Mapping[str, identity.User] = field(default_factory=dict)
    service_accounts: serviceaccounts.Settings = field(default_factory=serviceaccounts.Settings)
    bootstrap_tokens: bool = False
    """Whether secrets of type bootstrap.kubernetes.io/token let in."""
    proxy: requestheader.RequestHeader | None = None
    """The front proxy that may tell whom it asks for."""
    anonymous: bool = True
    """Whether who shows no credentials is system:anonymous; never where all is allowed."""
    fairness: fairness_settings.Settings = field(default_factory=fairness_settings.Settings)
    audit: audit_settings.Settings | None = None
    limits: Limits = field(default_factory=Limits)
    encryption: encryption_settings.Settings | None = None
    """By which keys the store holds what; None: as plain text."""
    authorization: tuple[str, ...] = (modes.ALWAYS_ALLOW,)
    """The authorization modes, in the order in which they are asked."""
    client_ca: str = ""
    """PEM of who signs the certificates of clients: told to extension servers."""
    proxy_client: tuple[str, str] | None = None
    """Files of the certificate and key that extension servers and webhooks are shown, as they are
    whenever one is connected to."""
    kubelet_tls: ChannelTls | None = None
    """With what kubelets are asked for logs, exec and so on; without it, in plain text."""
    kubelet_tls_renewed: Callable[[], ChannelTls | None] | None = None
    """Asked whenever a kubelet is: with what from now on, None for what was good last."""
    kubelet_addresses: tuple[str, ...] = location.PREFERRED
    """Which addresses of nodes their kubelets are reached at, best first."""
    admission: defaults.Selection = field(default_factory=defaults.Selection)
    """Which admission plugins run, and what they are told."""
    service_range: str = bootstrap.SERVICE_RANGE
    node_ports: range = defaults.NODE_PORTS
    advertise: str = ""
    addons: tuple[str, ...] = ()
    """What else the cluster has, from its first start with it on: names of `addons`."""
    version: str = ""
    compaction_seconds: float = 300.0
    """History is kept for at least this long: etcd-compaction-interval of kube-apiserver."""
    history_revisions: int = compaction.MOST
    """So many revisions of history are kept at most, where it is this server's memory."""
    event_seconds: float = expiry.EVENT_SECONDS
    """Events are deleted so long after they were last written: event-ttl of kube-apiserver."""
    not_ready_seconds: int = 300
    """Pods that say nothing of it stay so long on a node that is not ready."""
    unreachable_seconds: int = 300
    """The same on a node that is unreachable."""
    ring: int = 8192
    """Recent events held for each resource, for watches to resume from."""

    def __post_init__(self) -> None:
        modes.checked(self.authorization)
        addons.checked(self.addons)
        unknown = [kind for kind in self.kubelet_addresses if kind not in location.ADDRESS_TYPES]
        if unknown or not self.kubelet_addresses:
            known = ", ".join(location.ADDRESS_TYPES)
            raise ValueError(f"kubelet_addresses are {unknown}: give some of {known}")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is not a port: give 0 to 65535")
        for name in ("compaction_seconds", "history_revisions", "event_seconds", "ring"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")
        if self.not_ready_seconds < 0 or self.unreachable_seconds < 0:
            raise ValueError("default toleration seconds must not be negative")
        try:
            network = ipaddress.ip_network(self.service_range)
        except ValueError as error:
            raise ValueError(f"service_range is no network: {error}") from None
        if network.num_addresses < 8:
            raise ValueError(f"service_range {self.service_range} has too few addresses")
        if not self.node_ports or self.node_ports[0] < 1 or self.node_ports[-1] > 65535:
            raise ValueError("node_ports must be ports from 1 to 65535")
        if self.advertise:
            try:
                ipaddress.ip_address(self.advertise)
            except ValueError as error:
                raise ValueError(f"advertise is no address: {error}") from None
