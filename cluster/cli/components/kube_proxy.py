"""`kubemu kube-proxy`."""

from typing import Any

import click

from cluster.cli import connection, flags, observing, process
from cluster.cli.flags import DURATION, NUMBER, TEXT, Setting
from cluster.proxy import config as configs

_SETTINGS = (
    Setting(
        "min_sync_period", DURATION, "Changes within this time are programmed together.",
        "iptables-min-sync-period",
    ),
    Setting("call_timeout", DURATION, "Longest time of one call to the data plane."),
    Setting("longest_retry", DURATION, "Longest wait between tries to reach it."),
    Setting("cluster_cidr", TEXT, "Addresses of all pods; what goes to others is masqueraded."),
    Setting("service_cidr", TEXT, "Addresses of Services.", "service-cluster-ip-range"),
    Setting("network_mtu", NUMBER, "MTU of pods; 0: what the back end leaves of the underlay's."),
)  # fmt: skip


@click.command("kube-proxy")
@flags.host_name("hostname-override", "Name of the node.", "node-name")
@connection.options
@flags.option(
    "dataplane-endpoint",
    connection.ENDPOINT_HELP.format("the node's data plane"),
    default=connection.RUNTIME,
)
@flags.option(
    "network-backend",
    "How packets go between nodes: vxlan (as with flannel), routed (as with Calico, without "
    "encapsulation), mesh (as with Weave, around links that are cut), or none: no pod network.",
    click.Choice((*configs.BACKENDS, "none")),
    default="vxlan",
)
@flags.settings(configs.Config, *_SETTINGS)
@flags.option(
    "healthz-bind-address",
    "ADDRESS:PORT of /healthz (Kubernetes: 0.0.0.0:10256); left out: none.",
    default="",
)
@flags.option(
    "metrics-bind-address",
    "ADDRESS:PORT of /metrics (Kubernetes: 127.0.0.1:10249); left out: none.",
    default="",
)
@process.logging_options
def kube_proxy(
    hostname_override: str, dataplane_endpoint: str, network_backend: str, log_level: str,
    log_format: str, **values: Any,
) -> None:  # fmt: skip
    """Run what brings Services and the pod network to a node: it programs the node's data plane.

    It is kube-proxy and the network's agent (flannel's, Calico's) in one: other nodes, and what
    NetworkPolicies let through.
    """
    connected = connection.from_flags(values)
    healthz = observing.plain_port(values.pop("healthz_bind_address"), "--healthz-bind-address")
    metrics = observing.plain_port(values.pop("metrics_bind_address"), "--metrics-bind-address")
    backend: dict[str, Any] = (
        {} if network_backend == "none" else {"network_backend": network_backend}
    )

    def make(**fields: Any) -> configs.Config:
        return configs.Config(node_name=hostname_override.lower(), **backend, **fields)

    config = flags.built(make, _SETTINGS, values)

    async def story(seams: process.Seams) -> None:
        from cluster.proxy.component import Proxy
        from cluster.proxy.figures import FAMILIES
        from cluster.proxy.grpc_dataplane import GrpcDataPlane
        from cluster.proxy.overlay.grpc_plane import GrpcPlane

        with observing.counting(metrics, FAMILIES) as figures:
            async with (
                connected.client("kube-proxy") as client,
                connected.channel(dataplane_endpoint) as plane,
            ):
                made = Proxy(
                    config, client=client, dataplane=GrpcDataPlane(plane), clock=seams.clock,
                    random=seams.random, overlay=GrpcPlane(plane) if backend else None,
                )  # fmt: skip
                served: list[process.Component] = [made]
                if healthz is not None:
                    served.append(observing.proxy_health(healthz, seams.clock, made.ready.is_set))
                if metrics is not None:
                    served.append(observing.plain(metrics, figures, {"healthz": observing.PING}))
                await process.serve(*served)

    process.run("kube-proxy", story, log_level=log_level, log_format=log_format)
