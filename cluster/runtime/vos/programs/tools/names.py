"""Programs about files and accounts: mktemp, stat, chown, dd, getent and their kin."""

import datetime
import posixpath
import random
import re
import stat as stats
from collections.abc import Mapping
from typing import Final

from cluster.runtime.vos import files, streams
from cluster.runtime.vos.accounts import Accounts
from cluster.runtime.vos.kernel import Call, Program, decoded
from cluster.runtime.vos.programs import descriptors, inputs, options

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_UNITS: Final = {"": 1, "c": 1, "w": 2, "b": 512, "k": 1024, "K": 1024, "kB": 1000, "M": 1 << 20,
                 "MB": 10**6, "G": 1 << 30, "GB": 10**9}  # fmt: skip


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d{1,12})([a-zA-Z]*)", text)
    if found is None or found[2] not in _UNITS:
        raise options.Unknown(f"invalid number '{text[:40]}'")
    return int(found[1]) * _UNITS[found[2]]


async def mktemp(call: Call) -> int:
    """`mktemp [-d] [-t] [-p DIR] [TEMPLATE]`."""
    found, names = options.split(call.argv, "dtqu", "p")
    template = names[0] if names else "tmp.XXXXXX"
    if not template.endswith("XXXXXX"):
        return await call.complain(f"{template}: Invalid argument")
    if not names or "t" in found or "p" in found:
        template = posixpath.join(found.get("p") or call.env.get("TMPDIR") or "/tmp", template)
    stem = template.rstrip("X")
    chance = random.Random(f"{call.kernel.hostname}/{call.kernel.clock.now()}")  # noqa: S311
    while True:
        name = stem + "".join(chance.choice(_LETTERS) for _ in range(len(template) - len(stem)))
        path = call.path(name)
        if not call.files.exists(path):
            break
    if "d" in found:
        call.files.make_folder(path)
        call.files.change_mode(path, 0o700)
    elif "u" not in found:
        call.files.put(path, b"", 0o600)
    await call.out(name + "\n")
    return 0


def _kind(node: files.Node) -> tuple[str, int]:
    if isinstance(node, files.Folder):
        return "directory", stats.S_IFDIR
    if isinstance(node, files.Link):
        return "symbolic link", stats.S_IFLNK
    return "regular file" if node.size else "regular empty file", stats.S_IFREG


async def stat(call: Call) -> int:
    """`stat [-c FORMAT] [-L] FILE…`."""
    argv = [f"-c{word[9:]}" if word.startswith("--format=") else word for word in call.argv]
    found, names = options.split(argv, "Lft", "c")
    code = 0
    for name in names:
        try:
            node = call.files.find(call.path(name), follow="L" in found)
        except OSError as error:
            code = await call.complain(f"can't stat '{name}': {error.strerror}")
            continue
        await call.out(_told(call.files, name, node, found.get("c")))
    return code


def _told(tree: files.FileSystem, name: str, node: files.Node, form: str | None) -> str:
    kind, bits = _kind(node)
    accounts, inode = Accounts(tree), tree.inode(node)
    leads = f"'{name}' -> '{node.target}'" if isinstance(node, files.Link) else ""
    size, links = node.size, node.links
    moment = datetime.datetime.fromtimestamp(node.mtime, datetime.UTC)
    when = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond:06d}000 +0000"
    mode = stats.filemode(bits | node.mode)
    user = accounts.user_name(node.uid) or "UNKNOWN"
    group = accounts.group_name(node.gid) or "UNKNOWN"
    if form is None:
        return (
            f"  File: {leads or name}\n  Size: {size:<10}\tBlocks: {-(-size // 512):<10} "
            f"IO Block: 4096   {kind}\nDevice: 0h/0d\tInode: {inode:<10}  Links: {links}\n"
            f"Access: ({node.mode & 0o7777:04o}/{mode})  "
            f"Uid: ({node.uid:5d}/{user:>8})   Gid: ({node.gid:5d}/{group:>8})\n"
            f"Access: {when}\nModify: {when}\nChange: {when}\n"
        )
    values = {
        "n": name, "s": size, "a": f"{node.mode & 0o7777:o}", "A": mode, "F": kind, "U": user,
        "G": group, "u": node.uid, "g": node.gid,
        "Y": int(node.mtime), "y": when, "X": int(node.mtime),
        "Z": int(node.mtime), "z": when, "x": when, "i": inode, "h": links, "b": -(-size // 512),
        "B": 512, "f": f"{bits | node.mode:x}", "N": leads or f"'{name}'", "d": 0,
        "o": 4096, "%": "%",
    }  # fmt: skip
    return re.sub(r"%([a-zA-Z%])", lambda one: str(values.get(one[1], "?")), form) + "\n"


async def chown(call: Call) -> int:
    """`chown [-Rh] [USER][:[GROUP]] FILE…`, `chgrp GROUP FILE…`."""
    found, names = options.split(call.argv, "RhfvcLHP")
    if len(names) < 2:
        return await call.complain("missing operand")
    accounts = Accounts(call.files)
    place = re.search("[:.]", names[0])
    user, separator, group = names[0].partition(place[0] if place else ":")
    if call.argv[0].endswith("chgrp"):
        user, separator, group = "", ":", names[0]
    elif separator == "." and accounts.uid(names[0]) is not None:
        user, group = names[0], ""  # a name with a dot in it
    uid = accounts.uid(user) if user else -1
    gid = accounts.gid(group) if group else -1
    if uid is None:
        return await call.complain(f"unknown user {user[:40]}")
    if gid is None:
        return await call.complain(f"unknown group {group[:40]}")
    if separator and user and not group:
        known = accounts.user(user)
        gid = known.gid if known is not None else -1
    code = 0
    for name in names[1:]:
        code = await _give(call, name, (uid, gid), found) or code
    return code


async def _give(call: Call, name: str, owner: tuple[int, int], found: Mapping[str, str]) -> int:
    await call.kernel.step()
    path, code = call.path(name), 0
    try:
        node = call.files.find(path, follow="h" not in found and "R" not in found)
        if "R" in found and isinstance(node, files.Folder):
            for each in call.files.names(path):
                code = await _give(call, f"{name.rstrip('/')}/{each}", owner, found) or code
        call.files.change_owner(path, *owner, follow="h" not in found and "R" not in found)
    except OSError as error:
        return code if "f" in found else await call.complain(f"{name}: {error.strerror}")
    return code


async def truncate(call: Call) -> int:
    """`truncate -s SIZE FILE…`."""
    found, names = options.split(call.argv, "c", "s")
    size = _size(found.get("s", "x"))
    for name in names:
        file = call.files.create(call.path(name), append=True)
        data = file.content()
        if size > files.MAX_BYTES:
            return await call.complain(f"{name}: File too large")
        file.empty()
        call.files.write(file, data[:size].ljust(size, b"\0"))
    return 0


async def unlink(call: Call) -> int:
    """`unlink FILE`."""
    call.files.remove(call.path(call.argv[1] if len(call.argv) > 1 else ""))
    return 0


async def realpath(call: Call) -> int:
    """`realpath FILE…`."""
    for name in options.split(call.argv, "smeq")[1]:
        await call.out(call.files.true_path(call.path(name)) + "\n")
    return 0


async def install(call: Call) -> int:
    """`install [-d] [-m MODE] SOURCE… TARGET`."""
    found, names = options.split(call.argv, "dDcpv", "mog")
    accounts = Accounts(call.files)
    owner = (accounts.uid(found["o"]) if "o" in found else -1,
             accounts.gid(found["g"]) if "g" in found else -1)  # fmt: skip
    if None in owner:
        return await call.complain("unknown user or group")
    mode = int(found["m"], 8) if re.fullmatch(r"[0-7]{1,4}", found.get("m", "")) else 0o755
    if "d" in found:
        for name in names:
            call.files.make_folders(call.path(name))
            _installed(call, call.path(name), mode, owner)
        return 0
    if len(names) < 2:
        return await call.complain("missing file operand")
    target = call.path(names[-1])
    for name in names[:-1]:
        inside = posixpath.join(target, posixpath.basename(name))
        place = inside if call.files.is_folder(target) else target
        if "D" in found:
            call.files.make_folders(posixpath.dirname(place))
        call.files.put(place, call.files.read(call.path(name)))
        _installed(call, place, mode, owner)
    return 0


def _installed(call: Call, path: str, mode: int, owner: tuple[int | None, int | None]) -> None:
    call.files.change_mode(path, mode)
    if owner != (-1, -1):
        call.files.change_owner(path, owner[0] or 0, owner[1] or 0)


async def dd(call: Call) -> int:
    """`dd [if=FILE] [of=FILE] [bs=SIZE] [count=N] [skip=N] [seek=N] [conv=…] [status=none]`."""
    told: dict[str, str] = {}
    for word in call.argv[1:]:
        key, equals, value = word.partition("=")
        if not equals or key not in ("if", "of", "bs", "ibs", "obs", "count", "skip", "seek",
                                     "conv", "status", "iflag", "oflag"):  # fmt: skip
            return await call.complain(f"invalid argument '{word}'")
        told[key] = value
    block = max(_size(told.get("bs") or told.get("ibs") or "512"), 1)
    count = _size(told["count"]) if "count" in told else -1
    source = told.get("if", "-")
    reader: streams.Reader = call.io.stdin
    if source != "-":
        reader = inputs.opened(call, source)
    target = out = None
    if "of" in told and descriptors.means(call.path(told["of"])):
        out = descriptors.writer(call, call.path(told["of"]))
    elif "of" in told:
        target = call.files.create(call.path(told["of"]), append="notrunc" in told.get("conv", ""))
    began = call.kernel.clock.now()
    await _skip(reader, _size(told.get("skip", "0")) * block)
    sizes = (0, 0)
    if target is not None and "seek" in told:
        call.files.write(target, bytes(min(_size(told["seek"]) * block, files.MAX_BYTES + 1)))
    while count and (data := await _block(reader, block)):
        await call.kernel.step()
        count -= 1
        sizes = (sizes[0] + (len(data) == block), sizes[1] + len(data))
        if target is not None:
            try:
                call.files.write(target, data)
            except OSError as error:
                why = f"error writing '{told['of']}': {error.strerror}"
                return await call.complain(why)
        else:
            await (out or call.io.stdout).write(data)
    if told.get("status") != "none":
        partial = int(sizes[1] > sizes[0] * block)
        taken = max(call.kernel.clock.now() - began, 0.001)
        rows = f"{sizes[0]}+{partial} records in\n{sizes[0]}+{partial} records out\n"
        speed = f"{sizes[1]} bytes copied, {taken:.6f} seconds, {sizes[1] / taken / 1e6:.1f}MB/s\n"
        await call.io.stderr.write((rows + speed).encode())
    return 0


async def _block(reader: streams.Reader, size: int) -> bytes:
    made = bytearray()
    while len(made) < size and (data := await reader.read(size - len(made))):
        made += data
        if len(made) > files.MAX_BYTES:
            raise streams.TooMuch
    return bytes(made)


async def _skip(reader: streams.Reader, size: int) -> None:
    while size and (data := await reader.read(min(size, streams.PIPE_BYTES))):
        size -= len(data)


async def getent(call: Call) -> int:
    """`getent passwd|group|hosts|ahosts [NAME]`."""
    words = call.argv[1:]
    what, name = (words[0] if words else ""), (words[1] if len(words) > 1 else "")
    if what in ("passwd", "group"):
        lines = decoded(call.files.read(f"/etc/{what}")).splitlines()
        rows = [
            line for line in lines if not name or name in line.split(":")[:1] + line.split(":")[2:3]
        ]
        await call.out("".join(row + "\n" for row in rows))
        return 0 if rows else 2
    if what in ("hosts", "ahosts", "ahostsv4") and name:
        from cluster.runtime.vos import resolving

        try:
            found = await resolving.addresses(name, files=call.files, net=call.net)
        except OSError:
            return 2
        await call.out(
            "".join(f"{one:<15} {name}\n" for one in found[: 1 if what == "hosts" else 9])
        )
        return 0
    return await call.complain(f"Unknown database: {what}")


async def sync(_call: Call) -> int:
    """`sync`."""
    return 0


def _errors(body: Program) -> Program:
    async def run(call: Call) -> int:
        try:
            return await body(call)
        except options.Unknown as unknown:
            return await call.complain(str(unknown))
        except OSError as error:
            return await call.complain(f"{error.filename or ''}: {error.strerror}")

    return run


PROGRAMS: Final[dict[str, Program]] = {
    name: _errors(body)
    for name, body in {
        "mktemp": mktemp, "stat": stat, "chown": chown, "chgrp": chown, "truncate": truncate,
        "unlink": unlink, "realpath": realpath, "install": install, "sync": sync, "dd": dd,
        "getent": getent,
    }.items()
}  # fmt: skip
