"""What the commands of `kubemu chaos` end with (docs/chaos.md): 1 is for experiments that failed,
so that it is not taken for a file that is wrong or a cluster that is not there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from cluster.api import faults

WRONG: Final = 2
NOT_CARRIED_OUT: Final = 3


class WrongFile(faults.Fault):
    """A file that was named is not what it has to be; the message says why."""


class _Wrong(click.ClickException):
    exit_code = WRONG


class _NotCarriedOut(click.ClickException):
    exit_code = NOT_CARRIED_OUT


class Written(click.Path):
    """A file that is written at the end: that there is a folder for it is looked at before."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType.convert`."""
        found = Path(str(super().convert(value, param, ctx)))
        if not found.parent.is_dir():
            self.fail(f"{found}: there is no folder {found.parent}", param, ctx)
        return found


@contextmanager
def told() -> Iterator[None]:
    """Whatever a user can mend leaves with its sentence and its exit code."""
    try:
        yield
    except faults.Fault as error:
        from cluster.api import marked_yaml

        wrong = isinstance(error, WrongFile | marked_yaml.InvalidFile)
        raise (_Wrong if wrong else _NotCarriedOut)(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        said = f"{error.filename or 'the system'}: {error.strerror or error}"
        raise _NotCarriedOut(said) from error
