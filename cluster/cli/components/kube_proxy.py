"""`kubemu kube-proxy`."""

from typing import Any

import click

from cluster.cli import connection, flags, process
from cluster.cli.flags import DURATION, Setting
from cluster.proxy import config as configs

_SETTINGS = (
    Setting(
        "min_sync_period", DURATION, "Changes within this time are programmed together.",
        "iptables-min-sync-period",
    ),
    Setting("call_timeout", DURATION, "Longest time of one call to the data plane."),
    Setting("longest_retry", DURATION, "Longest wait between tries to reach it."),
)  # fmt: skip


@click.command("kube-proxy")
@flags.host_name("hostname-override", "Name of the node.", "node-name")
@connection.options
@flags.option(
    "dataplane-endpoint",
    connection.ENDPOINT_HELP.format("the node's data plane"),
    default=connection.RUNTIME,
)
@flags.settings(configs.Config, *_SETTINGS)
@process.logging_options
def kube_proxy(
    hostname_override: str, dataplane_endpoint: str, log_level: str, log_format: str, **values: Any
) -> None:
    """Run what brings Services to a node: it programs the node's data plane."""
    connected = connection.from_flags(values)

    def make(**fields: Any) -> configs.Config:
        return configs.Config(node_name=hostname_override.lower(), **fields)

    config = flags.built(make, _SETTINGS, values)

    async def story(seams: process.Seams) -> None:
        from cluster.proxy.component import Proxy
        from cluster.proxy.grpc_dataplane import GrpcDataPlane

        async with (
            connected.client("kube-proxy") as client,
            connected.channel(dataplane_endpoint) as plane,
        ):
            await process.serve(
                Proxy(
                    config, client=client, dataplane=GrpcDataPlane(plane), clock=seams.clock,
                    random=seams.random,
                )
            )  # fmt: skip

    process.run("kube-proxy", story, log_level=log_level, log_format=log_format)
