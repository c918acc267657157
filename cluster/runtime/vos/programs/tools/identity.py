"""Programs that tell who one is: id, whoami, groups, logname."""

import dataclasses
from typing import Final

from cluster.runtime.vos.accounts import GROUP, Accounts
from cluster.runtime.vos.credentials import Credentials
from cluster.runtime.vos.kernel import Call, Program, decoded
from cluster.runtime.vos.programs import options


async def identity(call: Call) -> int:
    """`id [-ugGnr] [USER]`."""
    try:
        found, names = options.split(call.argv, "ugGnr")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    accounts = Accounts(call.files)
    who = call.process.who
    if names:
        user = accounts.user(names[0])
        if user is None:
            return await call.complain(f"unknown user {names[0][:40]}")
        who = Credentials(user.uid, user.gid, member_of(call, user.name, user.gid))
    if not set(found) & set("ugG"):
        await call.out(_whole(who, accounts))
        return 0
    if "u" in found:
        rows = [(who.uid, accounts.user_name(who.uid))]
    elif "g" in found:
        rows = [(who.gid, accounts.group_name(who.gid))]
    else:
        rows = [(gid, accounts.group_name(gid)) for gid in _all(who)]
    return await _say(call, rows, by_name="n" in found)


async def whoami(call: Call) -> int:
    """`whoami`."""
    uid = call.process.who.uid
    name = Accounts(call.files).user_name(uid)
    if name is None:
        return await call.complain(f"unknown uid {uid}")
    await call.out(f"{name}\n")
    return 0


async def groups(call: Call) -> int:
    """`groups [USER]`."""
    return await identity(dataclasses.replace(call, argv=[call.argv[0], "-Gn", *call.argv[1:]]))


def member_of(call: Call, name: str, gid: int) -> tuple[int, ...]:
    """The groups of a user, as /etc/group has them, and that of /etc/passwd; sorted."""
    found = {gid}
    try:
        lines = decoded(call.files.read(GROUP)).splitlines()
    except OSError:
        lines = []
    for line in lines:
        fields = line.strip().split(":")
        if len(fields) > 3 and name in fields[3].split(",") and fields[2].isdecimal():
            found.add(int(fields[2][:10]))
    return tuple(sorted(found))


def _all(who: Credentials) -> list[int]:
    return [who.gid, *(gid for gid in sorted(who.groups) if gid != who.gid)]


def _whole(who: Credentials, accounts: Accounts) -> str:
    def shown(number: int, name: str | None) -> str:
        return f"{number}({name})" if name is not None else str(number)

    text = f"uid={shown(who.uid, accounts.user_name(who.uid))}"
    text += f" gid={shown(who.gid, accounts.group_name(who.gid))}"
    if who.groups:
        rows = (shown(gid, accounts.group_name(gid)) for gid in sorted(who.groups))
        text += f" groups={','.join(rows)}"
    return text + "\n"


async def _say(call: Call, rows: list[tuple[int, str | None]], *, by_name: bool) -> int:
    code = 0
    words = []
    for number, name in rows:
        words.append(name if by_name and name is not None else str(number))
        if by_name and name is None:
            code = await call.complain(f"unknown ID {number}")
    await call.out(" ".join(words) + "\n")
    return code


PROGRAMS: Final[dict[str, Program]] = {
    "id": identity, "whoami": whoami, "groups": groups, "logname": whoami,
}  # fmt: skip
