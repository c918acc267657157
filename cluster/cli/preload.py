"""What the zygote imports before it is forked, by component; "" is for all of them.

In the order in which components are needed: who starts first does not wait for the rest. A module
that is missing here is imported by each process that needs it, later and without being shared.
"""

from typing import Final

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "": (
        "cluster.cli.__main__", "cluster.cli.process", "cluster.cli.connection", "structlog",
        "uvloop", "setproctitle", "cluster.aio.grpcserver", "cluster.client.grpc_transport",
        "cluster.client.client", "cluster.client.channel", "cluster.launcher.kubeconfig",
        "cluster.client.leaderelection",
    ),
    "apiserver": (
        "cluster.cli.components.apiserver", "cluster.apiserver.component",
        "cluster.apiserver.rest.server", "cluster.storage.sqlite", "cryptography.x509",
    ),
    "runtime": (
        "cluster.cli.components.runtime", "cluster.runtime.component",
        "cluster.runtime.servicer", "cluster.runtime.dataplane_servicer",
        "cluster.runtime.streaming_servicer", "cluster.runtime.vos.programs",
    ),
    "kubelet": (
        "cluster.cli.components.kubelet", "cluster.kubelet.component", "cluster.kubelet.grpc_cri",
        "cluster.kubelet.serving.server",
    ),
    "kube-proxy": ("cluster.cli.components.kube_proxy", "cluster.proxy.component"),
    "controller-manager": (
        "cluster.cli.components.controller_manager", "cluster.controllers.component",
    ),
    "scheduler": ("cluster.cli.components.scheduler", "cluster.scheduler.component"),
    "registry": ("cluster.cli.components.registry", "cluster.images.registry.component"),
}  # fmt: skip
