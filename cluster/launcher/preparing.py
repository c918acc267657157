"""Writes what a cluster needs before its processes start: certificates, kubeconfigs, the plan."""

from cluster.launcher import addressing, certificates, files, kubeconfig, pki, processes, state
from cluster.launcher import plan as plans
from cluster.launcher.topology import DEFAULT_NAME, Topology


def prepare(
    wanted: Topology, folder: state.Folder, ports: plans.Ports, now: float
) -> processes.Plan:
    """Prepare `folder` for a cluster. `now` is wall time, in seconds since the epoch. faults.Fault.

    Certificates that are there and fit are kept; what ends soon is issued anew.
    """
    folder.prepare()
    authority = pki.ensure_authority(folder.pki, now)
    certificates.renew_due(folder, now)

    def config(name: str, subject: pki.Subject, position: int = 0) -> kubeconfig.Document:
        pair = authority.client(subject, now)
        access = kubeconfig.Access(
            f"https://{plans.LOOPBACK}:{ports.api}", ports.grpc_servers(position),
            authority.pem, pair.certificate, pair.key,
        )  # fmt: skip
        cluster = context(wanted.name)
        return kubeconfig.document(cluster, f"{cluster}-{name}", access)

    pki.ensure_serving(
        folder.pki, "apiserver", plans.hosts(wanted, ports.addresses), authority, now
    )
    pki.ensure_service_account_key(folder.pki)
    pki.ensure_client(
        folder.pki, plans.KUBELET_CLIENT, plans.KUBELET_CLIENT_SUBJECT, authority, now
    )
    for name, hosts in plans.kubelets(wanted, ports.addresses).items():
        pki.ensure_serving(folder.pki, name, hosts, authority, now)
    pki.ensure_client(folder.pki, plans.FRONT_PROXY, plans.FRONT_PROXY_SUBJECT, authority, now)
    if wanted.etcd_members:
        folder.keep_member_ports(ports.members)
        _prepare_etcd(folder, authority, now)
    for position, (name, subject) in enumerate(plans.subjects(wanted).items()):
        path = folder.conf / f"{name}.conf"
        kubeconfig.write(path, config(name, subject, position))
    kubeconfig.write(folder.kubeconfig, config("admin", plans.ADMINISTRATOR))
    addressing.keep(folder.addresses, ports.addresses)
    plan = plans.plan(wanted, folder, ports)
    files.write_private(folder.plan, plan.encode())
    return plan


def _prepare_etcd(folder: state.Folder, clusters: pki.Authority, now: float) -> None:
    """The authority of etcd, and what it signs. All members are on this machine: one pair for each
    purpose is enough. What an older kubemu had the cluster's authority sign for etcd goes.
    """
    authority = pki.ensure_authority(folder.etcd_pki, now, pki.ETCD)
    pki.forget_issued(folder.pki, plans.ETCD_CLIENT, clusters)
    for old in folder.pki.glob(f"{plans.ETCD}*.crt"):
        pki.forget_issued(folder.pki, old.stem, clusters)
    for name in (plans.ETCD_SERVER, plans.ETCD_PEER):
        hosts = ("localhost", plans.LOOPBACK)
        # A member calls itself, too, with what it shows to clients.
        pki.ensure_serving(folder.etcd_pki, name, hosts, authority, now, peer=True)
    pki.ensure_client(folder.pki, plans.ETCD_CLIENT, plans.ETCD_CLIENT_SUBJECT, authority, now)


def context(cluster: str) -> str:
    """The name of a cluster's context in a kubeconfig: `kubemu`, or `kubemu-NAME`."""
    return cluster if cluster == DEFAULT_NAME else f"{DEFAULT_NAME}-{cluster}"
