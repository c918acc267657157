"""The program of the supervisor and of zygotes: `python -m cluster.cli.supervise …`.

`supervise FOLDER DESCRIPTOR` is started by `kubemu up`; `zygote DESCRIPTOR` by a supervisor whose
zygote died. What the supervisor and all components need is imported once, before the first fork.
"""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cluster.cli import bytecode, grpcnoise, preload
from cluster.launcher import daemon, state

PROGRAM: Final = (sys.executable, "-m", "cluster.cli.supervise")
COMMANDS: Final = daemon.Commands(
    program=(sys.executable, "-m", "cluster.cli"), zygote=(*PROGRAM, "zygote")
)


def entry(arguments: Sequence[str]) -> None:
    """The command line, in a forked process."""
    from cluster.cli import __main__

    __main__.main(arguments)


def main() -> None:
    """Be what the arguments say."""
    bytecode.keep()
    # Threads of numpy's libraries could not be forked, and a cluster is many processes already.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    grpcnoise.silence()
    preload.share()
    match sys.argv[1:]:
        case ["supervise", folder, descriptor]:
            daemon.main(
                state.Folder(Path(folder)), socket.socket(fileno=int(descriptor)),
                groups=preload.GROUPS, entry=entry, commands=COMMANDS, configure=_configure,
            )  # fmt: skip
        case ["zygote", descriptor]:
            daemon.serve_zygote(int(descriptor), preload.GROUPS, entry)
        case _:
            sys.exit("kubemu up starts this")


def _configure() -> None:
    import setproctitle

    from cluster.aio import clock
    from cluster.cli import logformat

    setproctitle.setproctitle(f"kubemu supervisor {sys.argv[2]}")
    logformat.configure("supervisor", clock.SystemClock())


if __name__ == "__main__":
    main()
