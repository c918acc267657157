"""`kubemu kubelet`: the agent of a node, or with --hollow of many simulated ones."""

import random as randoms
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from cluster.cli import (
    connection,
    flags,
    hollownetwork,
    imagescriptsflag,
    kubeletconfig,
    observing,
    process,
    rotationflags,
    servertls,
)
from cluster.cli.flags import DURATION, LIST, NUMBER, PAIRS, REAL, TEXT, Setting
from cluster.kubelet import config as configs

if TYPE_CHECKING:
    from cluster.aio.grpcserver import ServerTls
    from cluster.api.imagescripts import Scripts
    from cluster.client.client import Client
    from cluster.kubelet.cri import Cri
    from cluster.kubelet.serving.server import Serving

_SETTINGS = (
    Setting("node_ip", TEXT, "Addresses of the node, with commas between."),
    Setting("pod_cidr", TEXT, "Pod network of the node, where no controller gives it one."),
    Setting("cpu", TEXT, "CPUs that the node has."),
    Setting("memory", TEXT, "Memory that the node has."),
    Setting("ephemeral_storage", TEXT, "Disk that the node has."),
    Setting("max_pods", NUMBER, "Pods that the node takes."),
    Setting("labels", PAIRS, "Labels that the node registers with.", "node-labels"),
    Setting("zone", TEXT, "Zone of the node.", "zone"),
    Setting("region", TEXT, "Region of the node."),
    Setting("kubernetes_version", TEXT, "Kubernetes version emulated."),
    Setting("architecture", TEXT, "Architecture that the node shows."),
    Setting("kubelet_port", NUMBER, "Port of its own server; 0 takes a free one.", "port"),
    Setting(
        "kubelet_address", TEXT,
        "Address at which the API server reaches it, where it is none of the node's.",
        "advertise-kubelet-address",
    ),
    Setting("pod_logs_dir", TEXT, "Where the runtime keeps the logs of containers."),
    Setting(
        "host_root", TEXT,
        "Directory that stands for the node's root in hostPath and local volumes; by default host"
        " under --root-dir. With / pods get at the files of this machine.",
    ),
    Setting("cluster_dns", LIST, "DNS servers of pods of the policy ClusterFirst."),
    Setting("cluster_domain", TEXT, "Domain of the cluster's services."),
    Setting("node_status_report_frequency", DURATION, "How often an unchanged status is sent."),
    Setting(
        "node_lease_duration", NUMBER, "Seconds for which the node's lease is good.",
        "node-lease-duration-seconds",
    ),
    Setting("lease_renew_fraction", REAL, "Share of that after which the lease is renewed."),
    Setting("relist_period", DURATION, "How often the runtime is listed, beside its events."),
    Setting("runtime_down_threshold", DURATION, "How long the runtime may be away unnoticed."),
    Setting("runtime_request_timeout", DURATION, "How long a call to the runtime may take."),
    *kubeletconfig.SETTINGS,
)  # fmt: skip


@click.command()
@flags.host_name("hostname-override", "Name of the node.", "node-name")
@connection.options
@flags.option(
    "container-runtime-endpoint",
    connection.ENDPOINT_HELP.format("the runtime's CRI"),
    default=connection.RUNTIME,
)
@flags.settings(configs.Config, *_SETTINGS)
@kubeletconfig.OPTIONS
@flags.option(
    "root-dir",
    "Where the volumes of pods are kept; hollow nodes keep theirs in memory.",
    default="/var/lib/kubelet",
)
@flags.option(
    "resolv-conf",
    "File that says what the node's resolver is; pods of the DNS policy Default have it.",
    click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
)
@flags.option("address", "Address that its server listens on.", default="0.0.0.0")
@flags.option(
    "healthz-port",
    "Port of /healthz, for whoever asks (Kubernetes: 10248); 0: none.",
    NUMBER,
    default=0,
)
@flags.option("healthz-bind-address", "Address that it is at.", default="127.0.0.1")
@servertls.options
@rotationflags.options
@flags.option(
    "register-with-taints",
    "Taints that the node registers with: key[=value]:effect,…",
    flags.LIST,
    default=(),
)
@flags.option(
    "hollow",
    "Be so many hollow nodes, with simulated runtimes, in this process.",
    click.IntRange(0),
    default=0,
)
@flags.option("hollow-prefix", "Hollow nodes are named PREFIX-NUMBER.", default="hollow")
@flags.option("hollow-start", "Number of the first hollow node.", click.IntRange(0), default=0)
@flags.option("hollow-zones", "Zones dealt out to hollow nodes in turn.", flags.LIST, default=())
@hollownetwork.options
@imagescriptsflag.OPTION
@process.logging_options
def kubelet(
    hostname_override: str, container_runtime_endpoint: str, log_level: str, log_format: str,
    **values: Any,
) -> None:  # fmt: skip
    """Run the agent of a node: it runs the pods that are bound to it, by a runtime.

    Stopped, it leaves its containers running; started again, it finds them. With --tls-cert-file
    it serves logs, exec, attach and port-forward to the API server.
    """
    values["container_runtime_endpoint"] = container_runtime_endpoint
    filed = kubeletconfig.fields(values, click.get_current_context())
    container_runtime_endpoint = values.pop("container_runtime_endpoint")
    connected = connection.from_flags(values)
    taints = _taints(values.pop("register_with_taints"))
    if taints:
        filed["taints"] = taints
    hollow, prefix, first, zones = (
        values.pop(f"hollow{part}") for part in ("", "_prefix", "_start", "_zones")
    )
    network = hollownetwork.from_flags(values)
    name = prefix if hollow else hostname_override.lower()
    scripts = imagescriptsflag.load(values.pop("image_scripts"))
    if scripts.rules and not hollow:
        raise click.UsageError("--image-scripts is for --hollow: else it is the runtime's.")

    root, resolver = values.pop("root_dir"), values.pop("resolv_conf")
    resolv_conf = resolver.read_text(errors="replace") if resolver else ""

    def make(**fields: Any) -> configs.Config:
        given = {**filed, **fields}
        return configs.Config(node_name=name, root_dir=root, resolv_conf=resolv_conf, **given)

    rotating = rotationflags.from_flags(values, root, hollow=bool(hollow))
    connected = rotating.connection(connected)
    certificate = connected.tls.certificate if connected.tls is not None else b""
    address, tls = values.pop("address"), _tls(values, rotating)
    asked, where = values.pop("healthz_port"), values.pop("healthz_bind_address")
    port = observing.Port(where, asked) if asked else None
    config = flags.built(make, _SETTINGS, values)
    if hollow:
        nodes = _hollow_configs(config, hollow, prefix, first, zones)

    async def story(seams: process.Seams) -> None:
        serving = _serving(address, config.kubelet_port, tls)
        async with connected.client("kubelet") as client:
            if hollow:
                names = tuple(node.node_name for node in nodes)
                shared = None
                if network is not None:
                    shared = hollownetwork.Network(network, names, client, seams)
                runtimes = _Runtimes(seams, scripts, shared)
                await _serve_hollow(nodes, runtimes, client, seams, serving, port=port)
                return
            async with connected.channel(container_runtime_endpoint) as runtime:
                renewing = rotating.components(config, client, seams, certificate)
                await _serve(config, client, runtime, seams, serving, beside=renewing, port=port)

    process.run("kubelet", story, log_level=log_level, log_format=log_format)


async def _serve(
    config: configs.Config, client: "Client", runtime: Any, seams: process.Seams,
    serving: "Serving | None", *, beside: Sequence[process.Component],
    port: observing.Port | None,
) -> None:  # fmt: skip
    """Be the kubelet of a node whose runtime is at the other end of a channel."""
    from cluster.kubelet import grpc_cri
    from cluster.kubelet.component import Kubelet

    cri = grpc_cri.connect(runtime, config.runtime_request_timeout, config.root_dir)
    one = Kubelet(
        config, client=client, cri=cri, clock=seams.clock, random=seams.random, serving=serving
    )
    await process.serve(one, *_health(port, one), *beside)


async def _serve_hollow(
    nodes: list[configs.Config], runtimes: "_Runtimes", client: "Client", seams: process.Seams,
    serving: "Serving | None", *, port: observing.Port | None,
) -> None:  # fmt: skip
    """Be the kubelets of many nodes, their runtimes, and the pod network that they share."""
    from cluster.kubelet.hollow import HollowNodes

    made = HollowNodes(
        nodes, client=client, cri_factory=runtimes.make, clock=seams.clock, random=seams.random,
        serving=serving,
    )  # fmt: skip
    await process.serve(made, *_health(port, made), *runtimes.proxies)


def _health(port: observing.Port | None, one: process.Component) -> list[process.Component]:
    """The page /healthz: a kubelet that looks after no pods yet is not well."""
    if port is None:
        return []
    checks = {"ping": lambda: True, "syncloop": one.ready.is_set}
    return [observing.plain(port, None, {"healthz": checks})]


def _tls(values: dict[str, Any], rotating: rotationflags.Rotating) -> "ServerTls | None":
    files = [
        values.pop(name) for name in ("tls_cert_file", "tls_private_key_file", "client_ca_file")
    ]
    if files[2] is None and (files[0] is not None or rotating.server):
        flag = "--tls-cert-file" if files[0] is not None else "--rotate-server-certificates"
        raise click.UsageError(f"{flag} needs --client-ca-file: a kubelet serves no stranger.")
    certificate, key = rotating.serving(files[0], files[1])
    return servertls.from_flags(certificate, key, files[2], require_client=True)


def _serving(address: str, port: int, tls: "ServerTls | None") -> "Serving | None":
    if tls is None:
        log = structlog.get_logger()
        log.info("without --tls-cert-file it serves no logs, exec, attach or port-forward")
        return None
    from cluster.kubelet.serving.server import Serving

    host = f"[{address}]" if ":" in address else address
    return Serving(f"{host}:{port}", tls)


class _Runtimes:
    """Makes the runtimes of hollow nodes, each with randomness of its own."""

    def __init__(
        self, seams: process.Seams, scripts: "Scripts", network: hollownetwork.Network | None
    ) -> None:
        self._seams = seams
        self._scripts = scripts
        self._network = network
        self.proxies = () if network is None else (network.proxy,)

    def make(self, config: configs.Config) -> "Cri":
        """The CRI of a new runtime in this process."""
        from cluster.runtime.component import Runtime
        from cluster.runtime.config import Config

        generator = randoms.Random(self._seams.random.getrandbits(64))  # noqa: S311
        runtime = Runtime(
            Config(node_name=config.node_name, image_scripts=self._scripts),
            clock=self._seams.clock, random=generator,
        )  # fmt: skip
        if self._network is not None:
            self._network.add(runtime.cri.spaces.bridge)
        return runtime.cri


def _hollow_configs(
    template: configs.Config, count: int, prefix: str, first: int, zones: tuple[str, ...]
) -> list[configs.Config]:
    from cluster.kubelet import hollow

    try:
        return hollow.configs(template, count, prefix=prefix, first=first, zones=zones)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _taints(texts: tuple[str, ...]) -> tuple[configs.Taint, ...]:
    try:
        return tuple(configs.taint(text) for text in texts)
    except ValueError as error:
        raise click.UsageError(f"--register-with-taints: {error}") from error
