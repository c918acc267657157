"""Who a container's process is: numbers, or names of its own /etc/passwd and /etc/group. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cluster.pb.cri.v1 import api_pb2 as pb


class Unknown(Exception):
    """There is no such user or group; the message is containerd's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """User, group, and further groups."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()


def identity(
    security: pb.LinuxContainerSecurityContext, image_user: str, passwd: str, group: str
) -> Identity:
    """Who runs, as the pod says, or else the image (`USER`). Unknown."""
    user, named_group = _asked(security, image_user)
    found = _user(user, passwd)
    gid = found.gid
    if security.HasField("run_as_group"):
        gid = security.run_as_group.value
    elif named_group:
        gid = _group(named_group, group)
    groups = dict.fromkeys([gid, *_member_of(found.name, group), *security.supplemental_groups])
    return Identity(found.uid, gid, tuple(groups))


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    uid: int
    gid: int


def _asked(security: pb.LinuxContainerSecurityContext, image_user: str) -> tuple[str, str]:
    if security.HasField("run_as_user"):
        return str(security.run_as_user.value), ""
    if security.run_as_username:
        return str(security.run_as_username), ""
    user, _, group = image_user.partition(":")
    return user, group


def _user(asked: str, passwd: str) -> _User:
    for fields in _lines(passwd, 4):
        if asked in (fields[0], fields[2]) or (not asked and fields[2] == "0"):
            return _User(fields[0], _number(fields[2]), _number(fields[3]))
    if not asked:
        return _User("root", 0, 0)
    if asked.isdecimal():
        return _User("", _number(asked), 0)
    raise Unknown(f"unable to find user {asked}: no matching entries in passwd file")


def _group(asked: str, group: str) -> int:
    for fields in _lines(group, 3):
        if asked in (fields[0], fields[2]):
            return _number(fields[2])
    if asked.isdecimal():
        return _number(asked)
    raise Unknown(f"unable to find group {asked}: no matching entries in group file")


def _member_of(name: str, group: str) -> Iterator[int]:
    for fields in _lines(group, 4):
        if name and name in fields[3].split(","):
            yield _number(fields[2])


def _lines(text: str, least: int) -> Iterator[Sequence[str]]:
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) >= least and fields[2].isascii() and fields[2].isdecimal():
            yield fields


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) >= 1 << 32:
        raise Unknown(f"{text[:20]!r} is no id of a user or group")
    return int(text)
