"""What the zygote imports before it is forked, by component; "" is for all of them.

In the order in which components are needed: who starts first does not wait for the rest. A module
that is missing here is imported by each process that needs it, later and without being shared.
`module:function` is imported and called.
"""

import gc
import importlib
import os
import sys
from pathlib import Path
from typing import Final

_SHARED: Final = (
    "ctypes", "psutil", "setproctitle", "cluster.cli.logformat", "cluster.launcher.running",
)  # fmt: skip
"""What the supervisor needs, and components too for the most part."""
WARM: Final = "cluster.cli.preload:warm"
"""Last in each group of which there are several processes: importing a class of an abstract kind
empties Python's cache of what is a kind of what."""
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "": (
        "cluster.cli.__main__", "cluster.cli.app", "cluster.cli.process", "cluster.cli.connection",
        "structlog", "uvloop", "setproctitle", "cluster.aio.grpcserver",
        "cluster.client.grpc_transport",
        "cluster.client.client", "cluster.client.channel", "cluster.launcher.kubeconfig",
        "cluster.client.leaderelection", "encodings.idna",
        "cryptography.hazmat.primitives.serialization",
    ),
    "apiserver": (
        "cluster.cli.components.apiserver", "cluster.apiserver.component",
        "cluster.apiserver.rest.server", "cluster.storage.faulty", "cryptography.x509",
    ),
    "runtime": (
        "cluster.cli.components.runtime", "cluster.runtime.component",
        "cluster.runtime.servicer", "cluster.runtime.dataplane_servicer",
        "cluster.runtime.streaming_servicer", "cluster.runtime.overlay_servicer",
        "cluster.runtime.vos.programs", "cluster.runtime.network.building",
        "cluster.network.io.udp", "cluster.runtime.network.links",
        "cluster.runtime.netops_servicer",
        "cluster.images.client.nodestore", "cluster.runtime.state.keeper",
        "cluster.runtime.state.recovery", "cluster.runtime.state.restoring",
        "cluster.runtime.state.volumes",
        # One of the nodes runs the name server; in it alone its modules would cost twice as much.
        "importlib.metadata", "cluster.runtime.emulated.coredns.program",
        "cluster.runtime.emulated.incluster.rest", WARM,
    ),
    "kubelet": (
        "cluster.cli.components.kubelet", "cluster.kubelet.component", "cluster.kubelet.grpc_cri",
        "cluster.kubelet.serving.server", WARM,
    ),
    "kube-proxy": (
        "cluster.cli.components.kube_proxy", "cluster.proxy.component",
        "cluster.proxy.grpc_dataplane", "cluster.proxy.overlay.grpc_plane", WARM,
    ),
    "controller-manager": (
        "cluster.cli.components.controller_manager", "cluster.controllers.component", WARM,
    ),
    "scheduler": ("cluster.cli.components.scheduler", "cluster.scheduler.component"),
    "registry": ("cluster.cli.components.registry", "cluster.images.registry.component"),
}  # fmt: skip


def share() -> None:
    """Import what the supervisor and its zygote both need, before one is forked of the other.

    Python's collector stays off until `daemon` or a component puts it on. structlog is imported as
    where there is no rich: supervised processes write JSON, and rich is 60 modules.
    """
    gc.disable()
    there = sys.modules.get("rich")
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]
        if there is not None:
            sys.modules["rich"] = there
    for module in _SHARED:
        importlib.import_module(module)


def warm() -> None:
    """Do once what every component's command does first, without running one.

    What that leaves (caches of classes and options, patterns, a set-up log) is then shared by all
    processes, where each would have megabytes of its own.
    """
    import structlog

    from cluster.aio import clock
    from cluster.cli import app, logformat
    from cluster.cli.components.kube_proxy import kube_proxy

    parent = app.kubemu.make_context("kubemu", ["kube-proxy"], resilient_parsing=True)
    kube_proxy.make_context("kube-proxy", [], parent, resilient_parsing=True)
    with Path(os.devnull).open("w") as nowhere:
        logformat.configure("warm", clock.SystemClock(), format="json", stream=nowhere)
        structlog.get_logger().info("warm")
    structlog.reset_defaults()
