"""The names of users and groups, as /etc/passwd and /etc/group of a container say them now."""

from collections.abc import Sequence
from typing import NamedTuple

from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.kernel import decoded

PASSWD, GROUP = "/etc/passwd", "/etc/group"
_LARGEST = (1 << 32) - 2


class User(NamedTuple):
    """A line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    home: str = "/"
    shell: str = ""


class Accounts:
    """Both files as they were when it was made; one that cannot be read has no names."""

    def __init__(self, files: FileSystem) -> None:
        self.users: list[User] = []
        self.groups: list[tuple[str, int]] = []
        for fields in _lines(files, PASSWD, 4):
            if (gid := number(fields[3])) is not None:
                home, shell = [*fields[5:7], "", ""][:2]
                self.users.append(User(fields[0], int(fields[2]), gid, home or "/", shell))
        self.groups = [(fields[0], int(fields[2])) for fields in _lines(files, GROUP, 3)]
        self._of_user = {one.uid: one.name for one in reversed(self.users)}
        self._of_group = {gid: name for name, gid in reversed(self.groups)}

    def user_name(self, uid: int) -> str | None:
        """The first name of a user id."""
        return self._of_user.get(uid)

    def group_name(self, gid: int) -> str | None:
        """The first name of a group id."""
        return self._of_group.get(gid)

    def user(self, name: str) -> User | None:
        """The user of a name."""
        return next((one for one in self.users if one.name == name), None)

    def uid(self, text: str) -> int | None:
        """The id of a user who is named, or told as a number."""
        found = self.user(text)
        return number(text) if found is None else found.uid

    def gid(self, text: str) -> int | None:
        """The id of a group that is named, or told as a number."""
        found = next((gid for name, gid in self.groups if name == text), None)
        return number(text) if found is None else found


def number(text: str) -> int | None:
    """An id."""
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > _LARGEST:
        return None
    return int(text)


def _lines(files: FileSystem, path: str, least: int) -> list[Sequence[str]]:
    try:
        text = decoded(files.read(path))
    except OSError:
        return []
    rows = [line.strip().split(":") for line in text.splitlines()]
    return [row for row in rows if len(row) >= least and number(row[2]) is not None]
