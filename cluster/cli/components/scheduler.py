"""`kubemu scheduler`, and the commands under it."""

from pathlib import Path
from typing import Any

import click

from cluster.cli import (
    connection,
    electionflags,
    flags,
    observing,
    process,
    schedulerconfig,
    servertls,
)
from cluster.cli.flags import BOOLEAN, DURATION, NUMBER, TEXT, Setting
from cluster.scheduler import config as configs

_SETTINGS = (
    Setting("leader_elect", BOOLEAN, "Hold a lease before scheduling."),
    Setting("scheduler_name", TEXT, "Which pods are its own (spec.schedulerName)."),
    Setting("kubernetes_version", TEXT, "Kubernetes version emulated."),
    Setting("permit_timeout", DURATION, "Longest wait of a Permit plugin."),
    Setting("bind_timeout", DURATION, "Longest time that PreBind and Bind take together."),
    Setting("parallel_bindings", NUMBER, "Pods between decision and binding at a time."),
    Setting("explained_attempts", NUMBER, "Last attempts that can be explained; 0: none."),
)


class _Commands(click.Group):
    """The commands under `scheduler`, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["simulate"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "simulate":
            return None
        from cluster.cli.commands import simulate

        return simulate.simulate


@click.group(cls=_Commands, invoke_without_command=True, subcommand_metavar="[COMMAND]")
@connection.options
@flags.option("config", "KubeSchedulerConfiguration file: profiles, plugins.", connection.FILE)
@flags.settings(configs.Config, *_SETTINGS)
@electionflags.options
@flags.option("listen", "Where attempts are explained (kubemu explain): unix:/path or host:port.")
@observing.secure_options(10259)
@servertls.options
@flags.identity
@process.logging_options
@click.pass_context
def scheduler(context: click.Context, /, log_level: str, log_format: str, **values: Any) -> None:
    """Run the scheduler, which binds pods to nodes.

    Flags win over what the file of --config says. With a command, nothing is run but that.
    """
    if context.invoked_subcommand is not None:
        return
    path: Path | None = values.pop("config")
    loaded = schedulerconfig.load(path) if path is not None else None
    if loaded is not None and values["scheduler_name"] is not None:
        raise click.UsageError("--scheduler-name: with --config, profiles have their own names.")
    if loaded is not None and loaded.kubeconfig and not (values["kubeconfig"] or values["server"]):
        values["kubeconfig"] = Path(loaded.kubeconfig)
    connected = connection.from_flags(values)
    port = observing.secure_port(values)
    listen: str = values.pop("listen") or ""
    tls = servertls.from_flags(
        values.pop("tls_cert_file"), values.pop("tls_private_key_file"),
        values.pop("client_ca_file"), require_client=True,
    )  # fmt: skip
    if listen and not listen.startswith("unix:") and (tls is None or not tls.client_ca):
        raise click.UsageError(
            "--listen on a port needs --tls-cert-file, --tls-private-key-file, --client-ca-file."
        )
    identity = values.pop("identity")
    given = schedulerconfig.fields(loaded) if loaded is not None else {}
    given["lease"] = electionflags.from_flags(values, given.get("lease") or configs.Config().lease)

    def make(**fields: Any) -> configs.Config:
        return configs.Config(**{"identity": identity, **given, **fields})

    config = flags.built(make, _SETTINGS, values)

    async def story(seams: process.Seams) -> None:
        import structlog

        from cluster.scheduler.component import Scheduler
        from cluster.scheduler.figures import FAMILIES

        for note in loaded.notes if loaded is not None else ():
            structlog.get_logger().warning("configuration", file=str(path), note=note)
        with observing.counting(port, FAMILIES) as figures:
            async with connected.client("kube-scheduler") as client:
                made = Scheduler(config, client=client, clock=seams.clock, random=seams.random)
                served: list[process.Component] = [made]
                if port is not None:
                    waits = observing.standby(figures, config.leader_elect)
                    synced = {"informer-sync": lambda: made.ready.is_set() or waits()}
                    served.append(
                        observing.delegated(
                            port, figures, client, seams.clock, live=observing.PING, ready=synced
                        )
                    )
                if listen:
                    from cluster.scheduler.serving import Server

                    served.append(Server(made, client, listen, tls))
                await process.serve(*served)

    process.run("scheduler", story, log_level=log_level, log_format=log_format)
