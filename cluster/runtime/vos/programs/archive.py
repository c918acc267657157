"""tar: create, extract and list, as much as `kubectl cp` and people need."""

import datetime
import posixpath
import stat
import tarfile
from collections.abc import AsyncIterator, Sequence
from typing import Final

from cluster.runtime.vos import filereading, files, streams
from cluster.runtime.vos.accounts import Accounts
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs import tarstream
from cluster.runtime.vos.shell.redirecting import FileWriter

_TAKES_VALUE: Final = "fC"


class _Bad(Exception):
    """The command line is none of tar's."""


async def tar(call: Call) -> int:
    """`tar c|x|t[vzmfC] [-f FILE] [-C DIR] [FILE…]`."""
    try:
        flags, valued, names = _read(call.argv[1:])
        modes = [flag for flag in flags if flag in "cxt"]
        if len(modes) != 1:
            raise _Bad("must specify one of -c, -x, -t")
        run = {"c": _create, "x": _extract, "t": _extract}[modes[0]]
        return await run(call, flags, valued, names)
    except _Bad as bad:
        return await call.complain(str(bad), 2)
    except OSError as error:
        return await call.complain(f"{error.filename}: {error.strerror}")
    except (tarfile.TarError, EOFError, ValueError) as error:
        return await call.complain(f"invalid tar header: {error}", 2)


_LONG: Final = {"--no-same-owner": "o"}


def _read(words: Sequence[str]) -> tuple[str, dict[str, str], list[str]]:
    rest = list(words)
    flags, names = "", list[str]()
    valued: dict[str, str] = {}
    first = True
    while rest:
        word = rest.pop(0)
        if word == "--":
            names += rest
            break
        if word.startswith("--"):
            flags += _LONG.get(word, "")
            continue
        if word.startswith("-") and len(word) > 1:
            letters = word[1:]
        elif first:
            letters = word
        else:
            names.append(word)
            continue
        first = False
        for place, letter in enumerate(letters):
            if letter not in _TAKES_VALUE:
                flags += letter
                continue
            attached = letters[place + 1 :] if word.startswith("-") else ""
            joined = attached if attached and not set(attached) <= set("cxtvzmpfC") else ""
            if joined:
                valued[letter] = joined
                break
            if not rest:
                raise _Bad(f"option requires an argument -- '{letter}'")
            valued[letter] = rest.pop(0)
    return flags, valued, names


async def _create(call: Call, flags: str, valued: dict[str, str], names: list[str]) -> int:
    if not names:
        raise _Bad("empty archive")
    base = files.absolute(valued.get("C", "."), call.cwd)
    sink = tarstream.Sink(_target(call, valued.get("f", "-")), packed="z" in flags)
    code = 0
    for name in names:
        path = files.absolute(name, base)
        if not (call.files.exists(path) or call.files.is_link(path)):
            code = await call.complain(f"{name}: No such file or directory")
            continue
        await _add(call, sink, path, name.lstrip("/") or ".", "v" in flags)
    await sink.end()
    return code


def _target(call: Call, name: str) -> streams.Writer:
    if name == "-":
        return call.io.stdout
    path = call.path(name)
    return FileWriter(call.files, call.files.create(path), path)


async def _add(call: Call, sink: tarstream.Sink, path: str, name: str, told: bool) -> None:
    await call.kernel.step()
    accounts = Accounts(call.files)
    node = call.files.find(path, follow=False)
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = node.mode, node.mtime
    info.uid, info.gid = node.uid, node.gid
    info.uname = accounts.user_name(node.uid) or ""
    info.gname = accounts.group_name(node.gid) or ""
    if told:
        await call.io.stderr.write(f"{name}\n".encode(errors="replace"))
    if isinstance(node, files.Folder):
        info.type = tarfile.DIRTYPE
        await sink.begin(info)
        for entry in call.files.names(path):
            await _add(call, sink, posixpath.join(path, entry), f"{name}/{entry}", told)
    elif isinstance(node, files.Link):
        info.type, info.linkname = tarfile.SYMTYPE, node.target
        await sink.begin(info)
    else:
        await _add_file(sink, info, filereading.regular(call.files, path))


async def _add_file(sink: tarstream.Sink, info: tarfile.TarInfo, file: files.File) -> None:
    """A file, of the size that it had at first: what it loses meanwhile is zeros."""
    info.size = len(file.virtual()) if file.virtual else file.size
    await sink.begin(info)
    place = 0
    while place < info.size:
        most = min(tarstream.PIECE, info.size - place)
        data = file.piece(place, most) or bytes(most)
        await sink.write(data)
        place += len(data)
    await sink.pad(info.size)


async def _extract(call: Call, flags: str, valued: dict[str, str], names: list[str]) -> int:
    name = valued.get("f", "-")
    reader = call.io.stdin if name == "-" else filereading.opened(call.files, call.path(name))
    source = tarstream.Source(reader)
    if await source.empty():
        return await call.complain("short read", 1)
    base = files.absolute(valued.get("C", "."), call.cwd)
    if not call.files.is_folder(base):
        return await call.complain(f"can't change directory to '{base}': No such file or directory")
    async for member in tarstream.members(source):
        await call.kernel.step()
        pieces = tarstream.content(source, member)
        inside = any(
            member.name == name or member.name.startswith(name.rstrip("/") + "/") for name in names
        )
        if inside or not names:
            if "t" in flags or "v" in flags:
                long = "t" in flags and "v" in flags
                await call.out((_told(member) if long else _named(member)) + "\n")
            if "x" in flags:
                await _place(call, pieces, member, base, kept="o" not in flags)
        async for _ in pieces:
            pass
    return 0


def _named(member: tarfile.TarInfo) -> str:
    return member.name.rstrip("/") + "/" if member.isdir() else member.name


def _told(member: tarfile.TarInfo) -> str:
    """A line of `tar tv`, as busybox has it."""
    kind = stat.S_IFDIR if member.isdir() else stat.S_IFLNK if member.issym() else stat.S_IFREG
    moment = datetime.datetime.fromtimestamp(member.mtime, datetime.UTC)
    who = f"{member.uname or member.uid}/{member.gname or member.gid}"
    arrow = f" -> {member.linkname}" if member.issym() or member.islnk() else ""
    mode = stat.filemode(kind | (member.mode & 0o7777))
    return f"{mode} {who} {member.size:9d} {moment:%Y-%m-%d %H:%M:%S} {_named(member)}{arrow}"


async def _place(
    call: Call, pieces: AsyncIterator[bytes], member: tarfile.TarInfo, base: str, *, kept: bool
) -> None:
    """Put one member where it belongs; never above `base`."""
    inside = posixpath.normpath("/" + member.name).lstrip("/")
    path = files.absolute(inside, base)
    if member.isdir():
        call.files.make_folders(path)
    elif member.issym():
        call.files.make_folders(posixpath.dirname(path))
        if call.files.exists(path):
            call.files.remove(path)
        call.files.link(member.linkname, path)
    elif member.isfile():
        call.files.make_folders(posixpath.dirname(path))
        file = call.files.create(path)
        file.mode = member.mode & 0o777
        if kept and call.process.who.root:
            call.files.change_owner(path, member.uid, member.gid)
        async for data in pieces:
            call.files.write(file, data, path)
        file.mtime = float(member.mtime)
