"""Programs over files: ls, mkdir, rmdir, rm, touch, cp, mv, ln, chmod and paths' own."""

import asyncio
import datetime
import errno
import os
import posixpath
import stat
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from cluster.runtime.vos import files, modes
from cluster.runtime.vos.accounts import Accounts
from cluster.runtime.vos.devices import Device
from cluster.runtime.vos.kernel import Call, Program
from cluster.runtime.vos.programs import descriptors, inputs, options, times

_PIECE: Final = 1 << 17
_HALF_YEAR: Final = 365 * 86400 / 2
_AHEAD: Final = 15 * 60
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def _told(verb: str) -> Callable[[Program], Program]:
    """Tell of OSErrors: `program: <verb> 'path': why`."""

    def decorate(body: Callable[[Call], Awaitable[int]]) -> Program:
        async def run(call: Call) -> int:
            try:
                return await body(call)
            except OSError as error:
                name = _named(call, str(error.filename or ""))
                what = f"{verb} '{name}'" if verb else name
                return await call.complain(f"{what}: {error.strerror}")
            except options.Unknown as unknown:
                return await call.complain(str(unknown))

        run.__doc__ = body.__doc__
        return run

    return decorate


def _named(call: Call, path: str) -> str:
    """How who called names a path: by a word of his, or by one that leads there."""
    found = ""
    for word in call.argv[1:]:
        place = call.path(word)
        if path == place:
            return word
        if path.startswith(place.rstrip("/") + "/") and len(word) > len(found):
            found = word.rstrip("/") + path[len(place.rstrip("/")) :]
    return found or path


async def ls(call: Call) -> int:
    """`ls [-1aAlRdi] [FILE…]`."""
    try:
        found, names = options.split(call.argv, "1aAlRdhtrFnSCgoi")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    if "n" in found:
        found["l"] = "1"
    code = 0
    named = _names(call, found)
    for place, name in enumerate(names or ["."]):
        try:
            node = call.files.find(call.path(name), follow="l" not in found or name.endswith("/"))
        except OSError as error:
            code = await call.complain(f"{name}: {error.strerror}")
            continue
        if not isinstance(node, files.Folder) or "d" in found:
            await call.out(_entry(call, name, node, found, named))
            continue
        if len(names) > 1:
            await call.out(("\n" if place else "") + f"{name}:\n")
        try:
            text = _listing(call, call.path(name), found, named)
        except OSError as error:
            code = await call.complain(f"can't open '{name}': {error.strerror}")
            continue
        await call.out(text)
    return code


def _names(call: Call, found: dict[str, str]) -> Accounts | None:
    """Who is shown by name; nobody with `-n`."""
    return Accounts(call.files) if "l" in found and "n" not in found else None


def _listing(call: Call, path: str, found: dict[str, str], named: Accounts | None) -> str:
    hidden = "a" in found or "A" in found
    inside = {
        name: call.files.find(posixpath.join(path, name), follow=False)
        for name in call.files.names(path)
        if hidden or not name.startswith(".")
    }
    lines = [_entry(call, name, node, found, named) for name, node in inside.items()]
    if "a" in found:
        folder = call.files.find(path)
        lines = [_entry(call, name, folder, found, named) for name in (".", "..")] + lines
    if "l" in found:
        lines.insert(0, f"total {sum(map(_blocks, inside.values()))}\n")
    return "".join(lines)


def _entry(
    call: Call, name: str, node: files.Node, found: dict[str, str], named: Accounts | None
) -> str:
    inode = f"{call.files.inode(node):7d} " if "i" in found else ""
    if "l" not in found:
        return f"{inode}{name}\n"
    kind = stat.S_IFLNK if isinstance(node, files.Link) else stat.S_IFREG
    if isinstance(node, files.Folder):
        kind = stat.S_IFDIR
    elif isinstance(node, Device):
        kind = stat.S_IFCHR
    when = _when(node.mtime, call.kernel.clock.now())
    arrow = f" -> {node.target}" if isinstance(node, files.Link) else ""
    mode = stat.filemode(kind | node.mode)
    user = named.user_name(node.uid) if named is not None else None
    group = named.group_name(node.gid) if named is not None else None
    who = f"{(user or str(node.uid))[:8]:<8} {(group or str(node.gid))[:8]:<8}"
    return f"{inode}{mode} {node.links:4d} {who} {node.size:9d} {when} {name}{arrow}\n"


def _when(mtime: float, now: float) -> str:
    """With the time of day, or where it was half a year ago or is yet to come, the year."""
    moment = datetime.datetime.fromtimestamp(mtime, datetime.UTC)
    recent = -_AHEAD < now - mtime < _HALF_YEAR
    rest = f"{moment:%H:%M}" if recent else f" {moment.year}"
    return f"{_MONTHS[moment.month - 1]} {moment.day:2d} {rest}"


def _blocks(node: files.Node) -> int:
    """What it takes of a disk, in KiB: a short link is kept with its name."""
    return 0 if isinstance(node, files.Link) else -(-node.size // 4096) * 4


@_told("can't create directory")
async def mkdir(call: Call) -> int:
    """`mkdir [-p] [-m MODE] DIR…`."""
    found, names = options.split(call.argv, "p", "m")
    mode = modes.parsed(found["m"], 0o777, folder=True) if "m" in found else None
    if "m" in found and mode is None:
        return await call.complain(f"invalid mode '{found['m'][:40]}'")
    for name in names:
        if "p" in found:
            call.files.make_folders(call.path(name))
        else:
            call.files.make_folder(call.path(name))
        if mode is not None:
            call.files.change_mode(call.path(name), mode)
    return 0


@_told("can't remove")
async def rmdir(call: Call) -> int:
    """`rmdir DIR…`."""
    for name in options.split(call.argv)[1]:
        call.files.remove_folder(call.path(name))
    return 0


@_told("can't remove")
async def rm(call: Call) -> int:
    """`rm [-rf] FILE…`."""
    found, names = options.split(call.argv, "rRfi")
    for name in names:
        path = call.path(name)
        if name.endswith("/") and call.files.is_link(path):
            raise files.error(errno.ENOTDIR, path)
        try:
            call.files.remove(path, recursive="r" in found or "R" in found)
        except FileNotFoundError:
            if "f" not in found:
                raise
    return 0


@_told("")
async def touch(call: Call) -> int:
    """`touch [-ch] [-d TIME | -r FILE] FILE…`."""
    found, names = options.split(call.argv, "camh", "drt")
    at: float | None = call.kernel.clock.now()
    if "d" in found:
        at = times.parse(found["d"], call.kernel.clock.now())
    elif "r" in found:
        at = call.files.find(call.path(found["r"])).mtime
    if at is None:
        return await call.complain(f"invalid date '{found['d'][:40]}'")
    for name in names:
        path = call.path(name)
        if "h" in found and call.files.is_link(path):
            call.files.change_time(path, at, follow=False)
        elif call.files.exists(path) or "c" not in found:
            folder = call.files.is_folder(path)
            node = call.files.find(path) if folder else call.files.create(path, append=True)
            node.mtime = at
    return 0


@_told("can't copy")
async def cp(call: Call) -> int:
    """`cp [-rRapdPLHf] SOURCE… TARGET`. Links are followed; with `-r` only where `-L` says so, or
    `-H` for those that are named.
    """
    found, names = options.split(call.argv, "rRapfdPLHnuvT")
    if len(names) < 2:
        return await call.complain("missing file operand")
    recursive = bool({"r", "R", "a"} & set(found))
    how = _How(
        "L" in found or not (recursive or {"d", "P"} & set(found)), bool({"p", "a"} & set(found))
    )
    target = call.path(names[-1])
    for name in names[:-1]:
        source = call.path(name)
        into = posixpath.join(target, posixpath.basename(source))
        place = into if call.files.is_folder(target) else target
        follow = how.follow or "H" in found
        folder = call.files.is_folder(source) and (follow or not call.files.is_link(source))
        if folder and not recursive:
            return await call.complain(f"omitting directory '{name}'")
        if place == source or (folder and place.startswith(source.rstrip("/") + "/")):
            return await call.complain(f"'{name}' and '{names[-1]}' are the same file")
        await _copy(call, source, place, how, follow=follow)
    return 0


class _How(NamedTuple):
    """How `cp` copies: whether it follows links, and keeps whose it is and its mode."""

    follow: bool
    kept: bool


async def _copy(call: Call, source: str, target: str, how: _How, *, follow: bool) -> None:
    await call.kernel.step()
    if descriptors.means(source) or descriptors.means(target):
        await _poured(call, source, target)
        return
    if not follow and call.files.is_link(source):
        _copy_link(call, source, target, kept=how.kept)
        return
    node = call.files.open(source)
    if isinstance(node, files.Folder):
        call.files.make_folders(target)
        if how.kept:
            _keep(call, node, target)
        for name in call.files.names(source):
            inside = posixpath.join(target, name)
            await _copy(call, posixpath.join(source, name), inside, how, follow=how.follow)
        return
    if not isinstance(node, files.File):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), source)
    fresh = not call.files.exists(target)
    file, at = call.files.create(target), 0
    while data := node.piece(at, _PIECE):
        call.files.write(file, data, target)
        at += len(data)
        await asyncio.sleep(0)
    if how.kept:
        _keep(call, node, target)
    elif fresh:
        file.mode = node.mode & 0o777 & ~call.process.who.umask


def _copy_link(call: Call, source: str, target: str, *, kept: bool) -> None:
    """Copy a symbolic link as it is, in place of what is no directory."""
    node = call.files.find(source, follow=False)
    assert isinstance(node, files.Link)
    if call.files.is_link(target) or call.files.exists(target):
        call.files.remove(target)
    call.files.link(node.target, target)
    if kept and call.process.who.root:
        call.files.change_owner(target, node.uid, node.gid, follow=False)
    if kept:
        call.files.change_time(target, node.mtime, follow=False)


async def _poured(call: Call, source: str, target: str) -> None:
    """Copy from a stream, or to one."""
    reader, writer = inputs.opened(call, source), descriptors.writer(call, target)
    while data := await reader.read():
        await call.kernel.step()
        await writer.write(data)


def _keep(call: Call, node: files.Node, target: str) -> None:
    """Have a copy be whose the other is, as far as its maker may; and as it is."""
    if call.process.who.root:
        call.files.change_owner(target, node.uid, node.gid)
    call.files.change_mode(target, node.mode)


@_told("can't rename")
async def mv(call: Call) -> int:
    """`mv SOURCE… TARGET`."""
    names = options.split(call.argv, "fi")[1]
    if len(names) < 2:
        return await call.complain("missing file operand")
    target = call.path(names[-1])
    for name in names[:-1]:
        source = call.path(name)
        into = posixpath.join(target, posixpath.basename(source))
        call.files.move(source, into if call.files.is_folder(target) else target)
    return 0


@_told("")
async def ln(call: Call) -> int:
    """`ln [-sfnT] TARGET… NAME|DIR`, `ln [-sf] TARGET`."""
    found, names = options.split(call.argv, "sfnvT")
    if not names:
        return await call.complain("missing file operand")
    last = names.pop() if len(names) > 1 else "."
    into = call.path(last)
    plain = "T" in found or ("n" in found and call.files.is_link(into))
    inside = call.files.is_folder(into) and not plain
    if len(names) > 1 and not inside:
        return await call.complain(f"target '{last}': Not a directory")
    for name in names:
        path = posixpath.join(into, posixpath.basename(name.rstrip("/"))) if inside else into
        if "s" not in found:
            call.files.find(call.path(name), follow=False)
        there = call.files.is_link(path) or call.files.exists(path)
        if "f" in found and there and path != call.path(name):
            call.files.remove(path)
        if "s" in found:
            call.files.link(name, path)
        else:
            call.files.share(call.path(name), path)
    return 0


@_told("can't change")
async def chmod(call: Call) -> int:
    """`chmod [-R] MODE FILE…`: an octal mode, or `u+rwx,go-w`."""
    words = [word for word in call.argv[1:] if word not in ("-R", "-v", "-f", "-c")]
    if len(words) < 2:
        return await call.complain("usage: chmod MODE FILE...")
    deep = "-R" in call.argv[1:]
    code = 0
    for name in words[1:]:
        try:
            if not await _change(call, words[0], call.path(name), deep=deep):
                return await call.complain(f"invalid mode '{words[0][:40]}'")
        except OSError as error:
            code = await call.complain(f"{name}: {error.strerror}")
    return code


async def _change(call: Call, mode: str, path: str, *, deep: bool) -> bool:
    await call.kernel.step()
    node = call.files.find(path)
    folder = isinstance(node, files.Folder)
    bits = modes.parsed(mode, node.mode, folder=folder, umask=call.process.who.umask)
    if bits is None:
        return False
    call.files.change_mode(path, bits)
    if deep and isinstance(node, files.Folder):
        for name in call.files.names(path):
            await _change(call, mode, posixpath.join(path, name), deep=deep)
    return True


@_told("can't read")
async def readlink(call: Call) -> int:
    """`readlink [-f] FILE`."""
    found, names = options.split(call.argv, "f")
    if not names:
        return await call.complain("missing file operand")
    path = call.path(names[0])
    if "f" in found:
        await call.out((call.files.true_path(path) if call.files.exists(path) else path) + "\n")
        return 0
    node = call.files.find(path, follow=False)
    if not isinstance(node, files.Link):
        return 1
    await call.out(node.target + "\n")
    return 0


async def basename(call: Call) -> int:
    """`basename PATH [SUFFIX]`."""
    words = call.argv[1:]
    base = posixpath.basename(words[0].rstrip("/")) if words else ""
    if len(words) > 1 and base != words[1]:
        base = base.removesuffix(words[1])
    await call.out(base + "\n")
    return 0


async def dirname(call: Call) -> int:
    """`dirname PATH`."""
    path = call.argv[1] if len(call.argv) > 1 else ""
    await call.out(
        (posixpath.dirname(path.rstrip("/")) or ("/" if path[:1] == "/" else ".")) + "\n"
    )
    return 0


PROGRAMS: Final[dict[str, Program]] = {
    "basename": basename, "chmod": chmod, "cp": cp, "dirname": dirname, "ln": ln, "ls": ls,
    "mkdir": mkdir, "mv": mv, "readlink": readlink, "rm": rm, "rmdir": rmdir, "touch": touch,
}  # fmt: skip
