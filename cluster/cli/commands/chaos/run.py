"""`kubemu chaos run`."""

import asyncio
import json
import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cluster.aio import clock
from cluster.api import faults
from cluster.cli import flags
from cluster.cli.commands.chaos import common, endings
from cluster.cli.commands.chaos.common import Where

if TYPE_CHECKING:
    from cluster.chaos.experiment import Experiment
    from cluster.chaos.report import Outcome


_FILE = endings.Written()


class InTheWay(faults.Fault):
    """It cannot be run now; the message says why."""


@click.command("run")
@click.argument("experiment", metavar="FILE|NAME")
@common.options
@flags.option("seed", "Of chance, instead of the file's own.", click.IntRange(0), default=None)
@flags.option("json", "Where to write the report as JSON.", _FILE)
@flags.option("svg", "Where to write the picture of the time line.", _FILE)
@click.option("--keep", is_flag=True, help="Leave the workload behind.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but the report.")
def run_command(
    experiment: str, seed: int | None, json: Path | None, svg: Path | None, *, keep: bool,
    quiet: bool, **values: Any,
) -> int:  # fmt: skip
    """Run an experiment: a file (- is standard input), or one that `kubemu chaos list` shows.

    The exit code is 0 where it passed, 1 where it failed, 2 where the command or the file was
    wrong, 3 where it could not be carried out.
    """
    from dataclasses import replace

    from cluster.cli.commands.chaos import shipped

    made = shipped.find(experiment)
    if seed is not None:
        made = replace(made, seed=seed)
    return run(made, common.where(values), json, svg, keep=keep, quiet=quiet)


def run(
    made: "Experiment", meant: Where, json_path: Path | None, svg_path: Path | None, *,
    keep: bool = False, quiet: bool = False,
) -> int:  # fmt: skip
    """Run an experiment and show its report; the exit code. faults.Fault."""
    from cluster.chaos import picture, report, words

    with meant.alone():
        if meant.journal.path.exists():
            raise InTheWay(
                f"an earlier experiment has left something undone ({meant.journal.path}); "
                f"undo it with: kubemu chaos heal {' '.join(meant.arguments)}"
            )
        seen = asyncio.run(_run(made, meant, keep=keep, quiet=quiet))
    document = report.document(seen)
    try:
        if json_path is not None:
            json_path.write_text(json.dumps(document, indent=1) + "\n")
        if svg_path is not None:
            svg_path.write_text(picture.svg(document))
    finally:  # it took minutes
        click.echo(words.text(document), nl=False)
    return report.EXIT_CODES[document["verdict"]]


async def _run(made: "Experiment", meant: Where, *, keep: bool, quiet: bool) -> "Outcome":
    import structlog

    from cluster.chaos.running import Run

    # What our own client says of a cluster that is being broken, the report says better.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    def tell(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    async with common.opened(meant) as world:
        guard = _guard(meant)
        try:
            one = Run(
                made, world, clock=clock.SystemClock(), journal=meant.journal, tell=tell, keep=keep
            )
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, one.interrupt)
            return await one.run()
        finally:
            guard.kill()
            guard.wait()


def _guard(meant: Where) -> "subprocess.Popen[bytes]":
    """A process that undoes what we did, should we die: it sees the end of its input."""
    command = [sys.executable, "-m", "cluster.cli", "chaos", "guard", *meant.arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
