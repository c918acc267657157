"""`kubemu apiserver`."""

from typing import TYPE_CHECKING, Any

import click

from cluster.apiserver import config as configs
from cluster.cli import (
    admissionflags,
    aggregatorflags,
    authnflags,
    encryptionflags,
    flags,
    kubeletflags,
    process,
    protectionflags,
    servertls,
    storageflags,
)
from cluster.cli.flags import DURATION, LIST, NUMBER, TEXT, Setting

if TYPE_CHECKING:
    import ssl

_SETTINGS = (
    Setting("port", NUMBER, "Port of REST over TLS; 0 takes a free one.", "secure-port"),
    Setting("service_range", TEXT, "Network of cluster IPs.", "service-cluster-ip-range"),
    Setting("advertise", TEXT, "Address at which others reach it.", "advertise-address"),
    Setting("version", TEXT, "Kubernetes version emulated.", "kubernetes-version"),
    Setting("addons", LIST, "What else the cluster has: dns, ingress.", "addons"),
    Setting(
        "compaction_seconds", DURATION, "How long history is kept.", "etcd-compaction-interval"
    ),
    Setting(
        "history_revisions",
        NUMBER,
        "Revisions of history kept at most, which is memory; with etcd there is no such bound.",
        "history-revisions",
    ),
    Setting("event_seconds", DURATION, "How long events are kept.", "event-ttl"),
    Setting(
        "not_ready_seconds",
        NUMBER,
        "How long pods that say nothing of it stay on a node that is not ready, in seconds.",
        "default-not-ready-toleration-seconds",
    ),
    Setting(
        "unreachable_seconds",
        NUMBER,
        "The same on a node that is unreachable.",
        "default-unreachable-toleration-seconds",
    ),
    Setting("ring", NUMBER, "Recent events held for each resource.", "watch-cache-size"),
)


@click.command()
@flags.option("bind-address", "Address that it listens on.", default="0.0.0.0")
@flags.option("grpc-port", "Port of gRPC for components; 0 takes a free one.", NUMBER, default=6444)
@flags.settings(configs.Config, *_SETTINGS)
@flags.option("service-node-port-range", "Ports of NodePort services.", default="30000-32767")
@flags.option(
    "authorization-mode",
    "Who decides what may be done, in this order: AlwaysAllow, AlwaysDeny, Node, RBAC.",
    default="Node,RBAC",
)
@servertls.options
@authnflags.options
@protectionflags.options
@kubeletflags.options
@aggregatorflags.options
@admissionflags.options
@encryptionflags.options
@storageflags.options
@process.logging_options
def apiserver(log_level: str, log_format: str, **values: Any) -> None:
    """Run the API server: Kubernetes REST over TLS, and gRPC for components."""
    tls = _tls(values)
    known = (
        authnflags.from_flags(values)
        | protectionflags.from_flags(values)
        | kubeletflags.from_flags(values)
        | aggregatorflags.from_flags(values)
        | admissionflags.from_flags(values)
        | encryptionflags.from_flags(values)
    )
    address, grpc_port = values.pop("bind_address"), values.pop("grpc_port")
    ports = _range(values.pop("service_node_port_range"))
    modes = tuple(mode.strip() for mode in values.pop("authorization_mode").split(","))
    stored = storageflags.from_flags(values)

    def make(**fields: Any) -> configs.Config:
        return configs.Config(
            host=address, grpc_address=f"{_bracketed(address)}:{grpc_port}",
            node_ports=ports, authorization=modes, **tls, **known, **fields,
        )  # fmt: skip

    config = flags.built(make, _SETTINGS, values)

    async def story(seams: process.Seams) -> None:
        from cluster.apiserver.component import ApiServer

        await process.serve(
            ApiServer(config, storage=stored(seams), clock=seams.clock, random=seams.random)
        )

    process.run("apiserver", story, log_level=log_level, log_format=log_format)


def _tls(values: dict[str, Any]) -> dict[str, Any]:
    files = [
        values.pop(name) for name in ("tls_cert_file", "tls_private_key_file", "client_ca_file")
    ]
    # gRPC's Python server can require a client's certificate or never ask for one.
    grpc_tls = servertls.from_flags(*files, require_client=files[2] is not None)
    if grpc_tls is None:
        raise click.UsageError("An API server needs --tls-cert-file and --tls-private-key-file.")
    from cluster.aio.certificatefiles import CertificateFiles
    from cluster.apiserver.rest import server

    certificate, key, authority = files

    def made() -> "ssl.SSLContext":
        return server.tls(str(certificate), str(key), str(authority) if authority else "")

    try:
        context = made()
    except OSError as error:
        raise click.UsageError(
            f"{certificate} and {key} are not a usable certificate: {error}"
        ) from error
    context.sni_callback = CertificateFiles(certificate, key, authority).choose(made)
    client_ca = authority.read_text() if authority else ""
    return {"ssl_context": context, "grpc_tls": grpc_tls, "client_ca": client_ca}


def _range(text: str) -> range:
    first, dash, last = text.partition("-")
    if not dash or not first.isdecimal() or not last.isdecimal():
        raise click.UsageError(
            f"--service-node-port-range {text!r} is not of the form 30000-32767."
        )
    return range(int(first), int(last) + 1)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
