"""What has to be undone, written down before it is done: whoever comes after a crash undoes it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cluster.chaos import acts
from cluster.chaos.acts import Act


class Journal(Protocol):
    """Keeps what is to be undone."""

    def write(self, open_: Sequence[Act]) -> None:
        """These acts are to be carried out, the first one first, for the cluster to be well."""
        ...

    def taken_over(self) -> list[Act] | None:
        """What somebody else has left of it, `kubemu down` for one; None where nobody was at it."""
        ...


class Nowhere:
    """Keeps nothing: for who cannot crash (the lab)."""

    def write(self, open_: Sequence[Act]) -> None:
        """Forget it."""

    def taken_over(self) -> list[Act] | None:
        """Nobody is at it."""
        return None


class File:
    """A file, which is there as long as something is to be undone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = self._found()

    def write(self, open_: Sequence[Act]) -> None:
        """See `Journal.write`: in one step, so that a crash leaves the old content or the new."""
        if not open_:
            self.path.unlink(missing_ok=True)
            self._mark = None
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.path.with_name(f"{self.path.name}.new")
        beside.touch(mode=0o600)
        beside.write_text(json.dumps([acts.document(act) for act in open_], indent=1))
        beside.replace(self.path)
        self._mark = self._found()

    def taken_over(self) -> list[Act] | None:
        """See `Journal.taken_over`. A damaged file is nobody's word: what was written counts."""
        if self._found() == self._mark:
            return None
        try:
            return self.read()
        except ValueError:
            return None

    def read(self) -> list[Act]:
        """What is still to be undone. ValueError where the file is damaged."""
        try:
            found = json.loads(self.path.read_text())
            return [acts.read(one) for one in found]
        except FileNotFoundError:
            return []
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.path} is no journal of chaos: {error}") from error

    def _found(self) -> tuple[int, int] | None:
        """Which file it is: each is written anew."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns
