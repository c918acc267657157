"""The entry point: `kubemu …`, also as `python -m cluster.cli …`."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cluster.cli import bytecode


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 it failed, 2 it was called wrongly."""
    bytecode.keep()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if len(arguments) == 2 and arguments[0] == "healthcheck" and arguments[1][:1] != "-":
        from cluster.cli import healthcheck  # every few seconds in each container

        sys.exit(healthcheck.main(arguments[1:]))
    import click

    from cluster.api import faults
    from cluster.cli import app, grpcnoise

    grpcnoise.silence()
    try:
        code = app.kubemu.main(arguments, prog_name="kubemu", standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except faults.Fault as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # Who read our output (`| head`) has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        click.echo(f"Error: {error.filename or 'the system'}: {error.strerror or error}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
