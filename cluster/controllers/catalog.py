"""The controllers by name, in the order in which they start."""

from collections.abc import Callable, Mapping
from typing import Protocol

from cluster.api import resources
from cluster.controllers import (
    clusterroleaggregation,
    rootca,
    serviceaccount,
    tokens,
    ttlafterfinished,
    volumeexpand,
)
from cluster.controllers.bootstrap.cleaner import TokenCleaner
from cluster.controllers.bootstrap.signer import BootstrapSigner
from cluster.controllers.certificates import approver, cleaner, signer
from cluster.controllers.context import Context
from cluster.controllers.cronjob import controller as cronjob
from cluster.controllers.daemonset import controller as daemonset
from cluster.controllers.deployment import controller as deployment
from cluster.controllers.disruption import controller as disruption
from cluster.controllers.endpoints import controller as endpoints
from cluster.controllers.endpointslice import controller as endpointslice
from cluster.controllers.endpointslicemirroring import controller as endpointslicemirroring
from cluster.controllers.ephemeralvolume import controller as ephemeralvolume
from cluster.controllers.garbagecollector import controller as garbagecollector
from cluster.controllers.job import controller as job
from cluster.controllers.localprovisioner import controller as localprovisioner
from cluster.controllers.namespace import controller as namespace
from cluster.controllers.nodeipam import controller as nodeipam
from cluster.controllers.nodelifecycle import controller as nodelifecycle
from cluster.controllers.persistentvolume import controller as persistentvolume
from cluster.controllers.podautoscaler import controller as podautoscaler
from cluster.controllers.podgc import controller as podgc
from cluster.controllers.replicaset import controller as replicaset
from cluster.controllers.resourcequota import controller as resourcequota
from cluster.controllers.servicelb import controller as servicelb
from cluster.controllers.statefulset import controller as statefulset
from cluster.controllers.tainteviction import controller as tainteviction
from cluster.controllers.volumeprotection import controller as volumeprotection


class Controller(Protocol):
    """Built from a context, it hears of changes; run, it acts upon them until cancelled."""

    async def run(self) -> None:
        """Serve until cancelled."""
        ...


Factory = Callable[[Context], Controller]


def factories(context: Context, table: resources.Table) -> Mapping[str, Factory]:
    """How to build each controller that this configuration runs."""
    config = context.config
    known: dict[str, Factory] = {
        "serviceaccount": serviceaccount.ServiceAccountController,
        "clusterrole-aggregation": clusterroleaggregation.ClusterRoleAggregation,
        "nodeipam": nodeipam.NodeIpamController,
        "deployment": deployment.DeploymentController,
        "replicaset": replicaset.ReplicaSetController,
        "replicationcontroller": lambda ctx: replicaset.ReplicaSetController(
            ctx, replicaset.REPLICATION_CONTROLLER
        ),
        "statefulset": statefulset.StatefulSetController,
        "daemonset": daemonset.DaemonSetController,
        "job": job.JobController,
        "cronjob": cronjob.CronJobController,
        "ttl-after-finished": ttlafterfinished.TtlAfterFinished,
        "horizontalpodautoscaling": lambda ctx: podautoscaler.HorizontalPodAutoscalers(ctx, table),
        "endpoint": endpoints.EndpointsController,
        "endpointslice": endpointslice.EndpointSliceController,
        "endpointslicemirroring": endpointslicemirroring.EndpointSliceMirroring,
        "nodelifecycle": nodelifecycle.NodeLifecycleController,
        "taint-eviction": tainteviction.TaintEvictionController,
        "disruption": lambda ctx: disruption.DisruptionController(ctx, table),
        "podgc": podgc.PodGarbageCollector,
        "resourcequota": lambda ctx: resourcequota.ResourceQuotaController(ctx, table),
        "service": servicelb.ServiceController,
        "persistentvolume-binder": persistentvolume.VolumeBinder,
        "persistentvolume-expander": volumeexpand.VolumeExpander,
        "ephemeral-volume": ephemeralvolume.EphemeralVolumeController,
        "local-volume-provisioner": localprovisioner.LocalProvisioner,
        "persistentvolumeclaim-protection": volumeprotection.ClaimProtection,
        "persistentvolume-protection": volumeprotection.VolumeProtection,
        "namespace": lambda ctx: namespace.NamespaceController(ctx, table),
        "garbagecollector": lambda ctx: garbagecollector.GarbageCollector(ctx, table),
    }
    known["csrapproving"] = approver.CertificateApprover
    known["csrcleaner"] = cleaner.CertificateCleaner
    authority = config.cluster_signing_authority
    if authority is not None:
        known["csrsigning"] = lambda ctx: signer.CertificateSigner(ctx, authority)
    known["bootstrapsigner"] = BootstrapSigner
    known["tokencleaner"] = TokenCleaner
    if config.root_ca:
        known["root-ca-certificate-publisher"] = rootca.RootCaController
    key = config.service_account_key
    if key is not None:
        known["serviceaccount-token"] = lambda ctx: tokens.TokensController(ctx, key)
    if not config.allocate_node_cidrs:
        del known["nodeipam"]
    if not config.load_balancer_pool:
        del known["service"]
    return {name: factory for name, factory in known.items() if config.enables(name)}
