"""`kubemu etcd`: becomes etcd, which `kubemu up --ha` runs as it runs its own processes.

The process that the supervisor knows is etcd itself, so that pausing and killing it do what they
say. etcd tells nobody in our way that it is ready: a small process asks it for that, and ends.
"""

import json
import os
import select
import shutil
import ssl
import sys
import urllib.error
import urllib.request

import click

from cluster.cli import process

_PERIOD = 0.1
_LONGEST = 600.0


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def etcd(arguments: tuple[str, ...]) -> None:
    """Run a member of etcd: the etcd on the PATH, with the flags that it is given.

    It has to be installed; kubemu up --ha says how.
    """
    binary = shutil.which("etcd")
    if binary is None:
        raise click.ClickException("There is no etcd on the PATH; it has to be installed.")
    if os.environ.get("NOTIFY_SOCKET"):
        _tell_when_healthy(arguments)
        del os.environ["NOTIFY_SOCKET"]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(binary, [binary, *_logging(binary), *arguments])


def _logging(binary: str) -> tuple[str, ...]:
    """3.4 writes its new log only where it is asked to; later ones warn of being asked."""
    import subprocess

    shown = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    return ("--logger=zap",) if "Version: 3.4" in shown.stdout else ()


def _tell_when_healthy(arguments: tuple[str, ...]) -> None:
    """Leave a process behind that notifies the supervisor in this one's name, once."""
    told = dict(argument.removeprefix("--").partition("=")[::2] for argument in arguments)
    member = os.getpid()
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return
    if os.fork():
        os._exit(0)  # so that nobody waits for the one who asks
    try:
        _ask(member, told)
    finally:
        os._exit(0)


def _ask(member: int, told: dict[str, str]) -> None:
    url = told.get("listen-client-urls", "http://127.0.0.1:2379").split(",")[0]
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context(cafile=told.get("trusted-ca-file"))
        context.load_cert_chain(told["cert-file"], told.get("key-file"))
    for _ in range(int(_LONGEST / _PERIOD)):
        try:
            os.kill(member, 0)
            with urllib.request.urlopen(f"{url}/health", timeout=5, context=context) as answer:
                if json.load(answer).get("health") == "true":
                    process.notify("READY=1\nSTATUS=ready", pid=member)
                    return
        except ProcessLookupError:
            return
        except (OSError, ValueError):
            pass
        select.select([], [], [], _PERIOD)
