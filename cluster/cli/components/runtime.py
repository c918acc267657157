"""`kubemu runtime`."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cluster.api import quantity
from cluster.cli import connection, flags, imagescriptsflag, process, servertls
from cluster.cli.flags import BOOLEAN, DURATION, NUMBER, TEXT, Setting
from cluster.runtime import config as configs

if TYPE_CHECKING:
    from cluster.runtime.oci.settings import Settings as Oci
    from cluster.runtime.registryimages import Registries

_SETTINGS = (
    Setting("listen", TEXT, "Where CRI and data plane are served: unix:/path or host:port."),
    Setting("pod_cidr", TEXT, "Pod addresses until the kubelet says."),
    Setting("node_ip", TEXT, "Address of the node in the pod network; without it there is none."),
    Setting("underlay_address", TEXT, "Where its datagrams are received, if not at --node-ip."),
    Setting("vxlan_port", NUMBER, "UDP port of VXLAN there; 0 takes a free one."),
    Setting("cable_port", NUMBER, "UDP port of the wire between nodes; 0 takes a free one."),
    Setting(
        "turbo", BOOLEAN, "Send frames of 64 KB whole to nodes that do so, too.", "network-turbo"
    ),
    Setting("metrics_port", NUMBER, "Port at --node-ip of /metrics, of the data plane; 0: none."),
    Setting("host_gateway", TEXT, "Address at which pods reach 127.0.0.1 of this machine."),
    Setting("image_pull_seconds", DURATION, "How long each image pull takes.", "image-pull-time"),
)


@click.command()
@flags.host_name("hostname-override", "Name of the node that this machine is.", "node-name")
@flags.settings(configs.Config, *_SETTINGS)
@flags.option(
    "container-log-max-size",
    "Size of a container's log file at which another is begun, in bytes or as 10Mi.",
    default="10Mi",
)
@flags.option("container-log-max-files", "Log files kept of a container.", NUMBER, default=5)
@imagescriptsflag.OPTION
@flags.option(
    "image-registries",
    "Registries that images are really pulled from (localhost:5000); of others they are emulated.",
    flags.LIST,
    default="",
)
@flags.option(
    "image-root", "Folder for what is pulled.", click.Path(file_okay=False, path_type=Path)
)
@flags.option("image-registry-ca-file", "CA of those that speak TLS, in PEM.", connection.FILE)
@flags.option(
    "image-insecure-registries",
    "Which speak plain HTTP; on this machine all do.",
    flags.LIST,
    default="",
)
@flags.option(
    "state-dir",
    "Folder in which is kept what runs, so that it is known after a restart.",
    click.Path(file_okay=False, path_type=Path),
)
@flags.option(
    "on-restart",
    "What becomes of it then: as a machine that was switched off and on (containers have exited, "
    "and are started anew), as one that only was out of sight (they run on), or a new, empty one.",
    click.Choice(configs.ON_RESTART),
    default="reboot",
)
@flags.option(
    "driver",
    "What runs containers: sim emulates them; oci runs processes by crun or runc (Linux); auto "
    "does that where the machine can, and else emulates.",
    click.Choice(("sim", "oci", "auto")),
    default="sim",
)
@flags.option(
    "oci-root",
    "Folder of the oci driver, for layers and root file systems.",
    click.Path(file_okay=False, path_type=Path),
)
@flags.option("oci-runtime", "crun, runc, or the path of one.", default="")
@servertls.options
@process.logging_options
def runtime(hostname_override: str, log_level: str, log_format: str, **values: Any) -> None:
    """Run what machine, kernel and containerd are to a node: containers and data plane.

    A kubelet and a kube-proxy reach it at --listen. When it ends, the machine is gone, and all
    its containers with it; what it finds when it is started again, --on-restart says.
    """
    tls = servertls.from_flags(
        values.pop("tls_cert_file"), values.pop("tls_private_key_file"),
        values.pop("client_ca_file"), require_client=True,
    )  # fmt: skip
    if not values["listen"]:
        raise click.UsageError("A runtime needs --listen: unix:/path or host:port.")

    logs = _log_files(values.pop("container_log_max_size"), values.pop("container_log_max_files"))

    kept = {
        "image_scripts": imagescriptsflag.load(values.pop("image_scripts")),
        "state_dir": values.pop("state_dir"),
        "on_restart": values.pop("on_restart"),
    }

    real = _oci(
        values.pop("driver"), values.pop("oci_root"), values.pop("oci_runtime"),
        keep=kept["on_restart"] == "resume",
    )  # fmt: skip

    def make(**fields: Any) -> configs.Config:
        return configs.Config(
            node_name=hostname_override.lower(), log_files=logs, volumes_on_disk=True, oci=real,
            **kept, **fields,
        )  # fmt: skip

    registries = functools.partial(
        _registries, values.pop("image_root"), values.pop("image_registries"),
        values.pop("image_insecure_registries"), values.pop("image_registry_ca_file"),
    )  # fmt: skip
    if registries.args[1] and registries.args[0] is None:
        raise click.UsageError("--image-registries needs --image-root.")
    config = flags.built(make, _SETTINGS, values)

    async def story(seams: process.Seams) -> None:
        from cluster.runtime.component import Runtime

        machine = Runtime(
            config, clock=seams.clock, random=seams.random, tls=tls, registries=registries()
        )
        await process.serve(machine)

    process.run("runtime", story, log_level=log_level, log_format=log_format)


def _oci(driver: str, root: Path | None, program: str, *, keep: bool) -> "Oci | None":
    """How processes are run; None where they are not. What the machine lacks is said."""
    if driver == "sim":
        return None
    if root is None:
        raise click.UsageError(f"--driver {driver} needs --oci-root.")
    from cluster.runtime.oci import facts, settings

    found = facts.look(program)
    problem = found.problem()
    if problem and driver == "auto":
        click.echo(f"Containers are emulated. {problem}", err=True)
        return None
    if problem:
        raise click.ClickException(problem)
    return settings.Settings(root.absolute(), found, keep=keep, fall_back=driver == "auto")


def _registries(
    root: Path | None, names: tuple[str, ...], plain: tuple[str, ...], authority: Path | None
) -> "Registries | None":
    if not names or root is None:
        return None
    from cluster.images.client.nodestore import NodeStore

    return NodeStore(root, names, plain, str(authority or ""))


def _log_files(size: str, files: int) -> configs.LogFiles:
    try:
        return configs.LogFiles(int(quantity.value(size)), files)
    except ValueError as error:
        raise click.UsageError(
            f"--container-log-max-size, --container-log-max-files: {error}"
        ) from error
