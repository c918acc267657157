"""`kubemu certs`: when a cluster's certificates end, and issuing them anew; kubeadm's commands."""

import datetime

import click

from cluster.aio import clock
from cluster.cli import clusters, tables


@click.group()
def certs() -> None:
    """See when a cluster's certificates end, and issue them anew, as kubeadm certs does.

    `kubemu up` issues anew by itself what ends within 30 days.
    """


@certs.command("check-expiration")
@clusters.name_option
def check_expiration(name: str) -> None:
    """Show when the certificates of a cluster end."""
    from cluster.launcher import certificates

    folder = clusters.known(name)
    now = clock.SystemClock().now()
    found = certificates.leaves(folder)
    authorities = certificates.authority_ends(folder)
    rows = [
        (
            leaf.name, _moment(leaf.ends), certificates.residual(leaf.ends - now),
            "" if leaf.embedded else leaf.authority, "no",
        )
        for leaf in found
    ]  # fmt: skip
    heads = ("CERTIFICATE", "EXPIRES", "RESIDUAL TIME", "CERTIFICATE AUTHORITY")
    tables.show((*heads, "EXTERNALLY MANAGED"), rows)
    click.echo()
    signers = [
        (name, _moment(ends), certificates.residual(ends - now), "no")
        for name, ends in authorities.items()
    ]
    columns = ("CERTIFICATE AUTHORITY", "EXPIRES", "RESIDUAL TIME", "EXTERNALLY MANAGED")
    tables.show(columns, signers)


@certs.command()
@click.argument("certificate")
@clusters.name_option
def renew(certificate: str, name: str) -> None:
    """Issue CERTIFICATE anew, or "all": with a new key, for another year.

    Servers show it to whoever connects from then on; components read kubeconfigs and certificates
    anew within ten seconds. Those by which an API server is a client (apiserver-kubelet-client,
    apiserver-etcd-client, front-proxy-client) count when it is started again: kubemu restart
    apiserver.
    """
    from cluster.launcher import certificates

    folder = clusters.known(name)
    for leaf in certificates.renew(folder, certificate, clock.SystemClock().now()):
        click.echo(f"{leaf.told} renewed")


def _moment(seconds: float) -> str:
    """`Nov 21, 2027 21:36 UTC`, as kubeadm tells it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%b %d, %Y %H:%M UTC")
