"""`kubemu controller-manager`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cluster.api.tokens import keys
from cluster.cli import connection, electionflags, flags, observing, process, servertls
from cluster.cli.flags import BOOLEAN, DURATION, LIST, NUMBER, REAL, Setting
from cluster.controllers import config as configs

if TYPE_CHECKING:
    from cluster.controllers.certificates.authority import Authority

_SETTINGS = (
    Setting("leader_elect", BOOLEAN, "Hold a lease before starting the controllers."),
    Setting("controllers", LIST, "Which run: * for all, -NAME for one less."),
    Setting("node_monitor_period", DURATION, "How often node health is looked at."),
    Setting(
        "node_monitor_grace_period", DURATION, "How long a node may be silent before NotReady."
    ),
    Setting("node_startup_grace_period", DURATION, "The same for a node that has never reported."),
    Setting("node_eviction_rate", REAL, "Nodes a second that are tainted in a healthy zone."),
    Setting("secondary_node_eviction_rate", REAL, "The same in an unhealthy zone."),
    Setting("unhealthy_zone_threshold", REAL, "Share of silent nodes that makes a zone unhealthy."),
    Setting("large_cluster_size_threshold", NUMBER, "Nodes from which a cluster is large."),
    Setting("allocate_node_cidrs", BOOLEAN, "Give each node a pod network of its own."),
    Setting("cluster_cidr", flags.TEXT, "Network of all pods, or one of each family."),
    Setting("node_cidr_mask_size", NUMBER, "Prefix length of a node's pod network."),
    Setting("node_cidr_mask_size_ipv4", NUMBER, "The same for IPv4, with two networks."),
    Setting("node_cidr_mask_size_ipv6", NUMBER, "The same for IPv6, with two networks."),
    Setting("load_balancer_pool", flags.TEXT, "Addresses for Services of type LoadBalancer."),
    Setting("concurrent_deployment_syncs", NUMBER, "Deployments worked on at a time."),
    Setting("concurrent_replicaset_syncs", NUMBER, "ReplicaSets worked on at a time."),
    Setting("concurrent_rc_syncs", NUMBER, "ReplicationControllers worked on at a time."),
    Setting("concurrent_statefulset_syncs", NUMBER, "StatefulSets worked on at a time."),
    Setting("concurrent_daemonset_syncs", NUMBER, "DaemonSets worked on at a time."),
    Setting("concurrent_endpoint_syncs", NUMBER, "Endpoints worked on at a time."),
    Setting("mirroring_concurrent_service_endpoint_syncs", NUMBER, "Endpoints mirrored at a time."),
    Setting("mirroring_max_endpoints_per_subset", NUMBER, "Addresses mirrored of one subset."),
    Setting("concurrent_service_endpoint_syncs", NUMBER, "Services worked on at a time."),
    Setting("concurrent_namespace_syncs", NUMBER, "Namespaces worked on at a time."),
    Setting("concurrent_gc_syncs", NUMBER, "Deletions of dependents under way at a time."),
    Setting("concurrent_resource_quota_syncs", NUMBER, "Quotas recounted at a time."),
    Setting("concurrent_job_syncs", NUMBER, "Jobs worked on at a time."),
    Setting(
        "concurrent_ttl_after_finished_syncs", NUMBER, "Finished Jobs looked at for their time."
    ),
    Setting("concurrent_cron_job_syncs", NUMBER, "CronJobs worked on at a time."),
    Setting("concurrent_ephemeralvolume_syncs", NUMBER, "Pods given ephemeral claims at a time."),
    Setting(
        "pvclaimbinder_sync_period", DURATION, "How often claims without a volume are looked at."
    ),
    Setting("max_endpoints_per_slice", NUMBER, "Endpoints in one EndpointSlice."),
    Setting(
        "cluster_signing_duration", DURATION, "The longest life of a certificate that is signed."
    ),
    Setting("terminated_pod_gc_threshold", NUMBER, "Finished pods that are kept; 0: all."),
    Setting(
        "concurrent_horizontal_pod_autoscaler_syncs", NUMBER, "Autoscalers worked on at a time."
    ),
    Setting(
        "horizontal_pod_autoscaler_sync_period", DURATION, "How often an autoscaler is looked at."
    ),
    Setting(
        "horizontal_pod_autoscaler_tolerance", REAL, "Share by which metrics may miss their target."
    ),
    Setting(
        "horizontal_pod_autoscaler_downscale_stabilization",
        DURATION,
        "How long a size that was called for is kept.",
    ),
    Setting(
        "horizontal_pod_autoscaler_cpu_initialization_period",
        DURATION,
        "After a pod's start, how long its CPU counts only while it is ready.",
    ),
    Setting(
        "horizontal_pod_autoscaler_initial_readiness_delay",
        DURATION,
        "After a pod's start, how long it is taken for one that is just getting ready.",
    ),
)


@click.command("controller-manager")
@connection.options
@flags.settings(configs.Config, *_SETTINGS)
@electionflags.options
@flags.option("root-ca-file", "CA that every namespace is told, in PEM.", connection.FILE)
@flags.option(
    "service-account-private-key-file",
    "Key that signs the tokens in secrets of service accounts, in PEM.",
    connection.FILE,
)
@flags.option(
    "cluster-signing-cert-file",
    "CA that signs approved CertificateSigningRequests, in PEM.",
    connection.FILE,
)
@flags.option("cluster-signing-key-file", "Its key, in PEM.", connection.FILE)
@flags.identity
@observing.secure_options(10257)
@servertls.options
@flags.option(
    "kubernetes-version",
    "Version emulated: which kinds there are, and the grace period's default.",
    default="",
)
@process.logging_options
def controller_manager(log_level: str, log_format: str, **values: Any) -> None:
    """Run all controllers: deployments, replica sets, nodes, endpoints, garbage and the rest."""
    connected = connection.from_flags(values)
    port = observing.secure_port(values)
    for name in ("tls_cert_file", "tls_private_key_file", "client_ca_file"):
        values.pop(name)
    version, authority = values.pop("kubernetes_version"), values.pop("root_ca_file")
    if values["node_monitor_grace_period"] is None and version:
        try:
            values["node_monitor_grace_period"] = configs.node_monitor_grace_period(version)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    identity = values.pop("identity")
    lease = electionflags.from_flags(values, configs.Config().lease)
    root_ca = authority.read_text() if authority else ""

    key = _key(values.pop("service_account_private_key_file"))
    signing = _authority(
        values.pop("cluster_signing_cert_file"), values.pop("cluster_signing_key_file")
    )

    def make(**fields: Any) -> configs.Config:
        return configs.Config(
            identity=identity,
            lease=lease,
            kubernetes_version=version,
            root_ca=root_ca,
            service_account_key=key,
            cluster_signing_authority=signing,
            **fields,
        )

    config = flags.built(make, _SETTINGS, values)

    async def story(seams: process.Seams) -> None:
        from cluster.api import resources
        from cluster.controllers.component import ControllerManager

        with observing.counting(port) as figures:
            async with connected.client("kube-controller-manager") as client:
                made = ControllerManager(
                    config,
                    client=client,
                    clock=seams.clock,
                    random=seams.random,
                    table=resources.built_in(version),
                )
                served: list[process.Component] = [made]
                if port is not None:
                    waits = observing.standby(figures, config.leader_elect)
                    synced = {"informer-sync": lambda: made.ready.is_set() or waits()}
                    served.append(
                        observing.delegated(
                            port, figures, client, seams.clock, live=observing.PING, ready=synced
                        )
                    )
                await process.serve(*served)

    process.run("controller-manager", story, log_level=log_level, log_format=log_format)


def _authority(certificate: Path | None, key: Path | None) -> "Authority | None":
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise click.UsageError(
            "--cluster-signing-cert-file and --cluster-signing-key-file go together"
        )
    from cluster.controllers.certificates.authority import Authority

    try:
        return Authority(certificate.read_bytes(), key.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise click.UsageError(f"--cluster-signing-cert-file {certificate}: {error}") from error


def _key(path: Path | None) -> keys.SigningKey | None:
    if path is None:
        return None
    try:
        return keys.signing_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--service-account-private-key-file {path}: {error}") from error
