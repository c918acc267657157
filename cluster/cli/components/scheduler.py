"""`kubemu scheduler`."""

from typing import Any

import click

from cluster.cli import connection, flags, process
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


@click.command()
@connection.options
@flags.settings(configs.Config, *_SETTINGS)
@flags.identity
@process.logging_options
def scheduler(log_level: str, log_format: str, **values: Any) -> None:
    """Run the scheduler, which binds pods to nodes."""
    connected = connection.from_flags(values)
    identity = values.pop("identity")

    def make(**fields: Any) -> configs.Config:
        return configs.Config(identity=identity, **fields)

    config = flags.built(make, _SETTINGS, values)

    async def story(seams: process.Seams) -> None:
        from cluster.scheduler.component import Scheduler

        async with connected.client("kube-scheduler") as client:
            await process.serve(
                Scheduler(config, client=client, clock=seams.clock, random=seams.random)
            )

    process.run("scheduler", story, log_level=log_level, log_format=log_format)
