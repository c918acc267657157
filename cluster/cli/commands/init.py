"""`kubemu init`."""

from pathlib import Path

import click

from cluster.cli import flags


@click.command()
@flags.option(
    "dir",
    "Folder in which a folder is made for each.",
    click.Path(file_okay=False, path_type=Path),
    default="pki",
)
@flags.option("nodes", "The nodes and their addresses: NAME=ADDRESS,…", flags.PAIRS, default="")
@flags.option("server", "URL at which components reach the API server.", required=True)
@flags.option("grpc", "Where they reach its gRPC: host:port.", required=True)
@flags.option("admin-server", "The same URL for the administrator's kubeconfig, if it is another.")
@flags.option("admin-grpc", "The same address for it.")
@flags.option(
    "apiserver-hosts",
    "Names and addresses of API servers, for their certificate.",
    flags.LIST,
    default="",
)
@flags.option("etcd-members", "Names of etcd's members.", flags.LIST, default="")
@flags.option("service-cluster-ip-range", "Network of cluster IPs.", default="10.96.0.0/12")
@flags.option("cluster-name", "What kubeconfigs call the cluster.", default="kubemu")
def init(
    *,
    dir: Path, nodes: dict[str, str], server: str, grpc: str, admin_server: str | None,
    admin_grpc: str | None, apiserver_hosts: tuple[str, ...],
    etcd_members: tuple[str, ...], service_cluster_ip_range: str,
    cluster_name: str,
) -> None:  # fmt: skip
    """Make certificates and kubeconfigs for a cluster whose processes are on other hosts.

    Each gets a folder with what it may have: authority, apiserver (with admin.conf), scheduler,
    controller-manager, metrics, etcd, and one for each node. What is there and fits is kept.
    """
    from cluster.aio import clock
    from cluster.launcher import providing

    for name, address in nodes.items():
        if name in (providing.AUTHORITY, providing.METRICS) or "/" in name:
            raise click.UsageError(f"--nodes: no node can be called {name!r}.")
        if not address:
            raise click.UsageError(f"--nodes: {name} has no address.")
    site = providing.Site(
        nodes, server, grpc, admin_server or "", admin_grpc or "", apiserver_hosts,
        service_cluster_ip_range, cluster_name, etcd_members,
    )  # fmt: skip
    made = providing.provide(site, dir, clock.SystemClock().now())
    click.echo(f"made in {dir}: {', '.join(made)}" if made else f"all that is in {dir} fits")
