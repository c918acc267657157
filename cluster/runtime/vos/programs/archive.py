"""tar: create, extract and list, as much as `kubectl cp` and people need."""

import asyncio
import io
import posixpath
import tarfile
from collections.abc import Sequence
from typing import Final

from cluster.runtime.vos import files, streams
from cluster.runtime.vos.kernel import Call

_MAX_ARCHIVE: Final = 2 * files.MAX_BYTES
_CHUNK: Final = 64 << 10
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
    except streams.TooMuch:
        return await call.complain("out of memory", 2)


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
            continue  # --no-same-owner and its like change nothing here
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
    made = io.BytesIO()
    code = 0
    with tarfile.open(fileobj=made, mode="w:gz" if "z" in flags else "w") as archive:
        for name in names:
            path = files.absolute(name, base)
            if not call.files.exists(path):
                code = await call.complain(f"{name}: No such file or directory")
                continue
            await _add(call, archive, path, name.lstrip("/") or ".", "v" in flags)
    await _deliver(call, valued.get("f", "-"), made.getvalue())
    return code


async def _add(call: Call, archive: tarfile.TarFile, path: str, name: str, told: bool) -> None:
    await call.kernel.step()
    node = call.files.find(path, follow=False)
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = node.mode, node.mtime
    info.uname = info.gname = "root"
    if told:
        await call.io.stderr.write(f"{name}\n".encode(errors="replace"))
    if isinstance(node, files.Folder):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        for entry in call.files.names(path):
            await _add(call, archive, posixpath.join(path, entry), f"{name}/{entry}", told)
    elif isinstance(node, files.Link):
        info.type, info.linkname = tarfile.SYMTYPE, node.target
        archive.addfile(info)
    else:
        data = call.files.read(path)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))


async def _deliver(call: Call, name: str, data: bytes) -> None:
    if name != "-":
        call.files.put(call.path(name), data)
        return
    for start in range(0, len(data), _CHUNK):
        await call.io.stdout.write(data[start : start + _CHUNK])


async def _extract(call: Call, flags: str, valued: dict[str, str], names: list[str]) -> int:
    source = valued.get("f", "-")
    if source == "-":
        data = await streams.everything(call.io.stdin, _MAX_ARCHIVE)
    else:
        data = call.files.read(call.path(source))
    if not data:
        return await call.complain("short read", 1)
    base = files.absolute(valued.get("C", "."), call.cwd)
    if not call.files.is_folder(base):
        return await call.complain(f"can't change directory to '{base}': No such file or directory")
    total = 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
        while (member := archive.next()) is not None:
            await call.kernel.step()
            total += max(member.size, 0)
            if total > _MAX_ARCHIVE:  # before it is unpacked: what is small may unpack to much
                raise streams.TooMuch
            inside = any(
                member.name == name or member.name.startswith(name.rstrip("/") + "/")
                for name in names
            )
            if names and not inside:
                continue
            if "t" in flags or "v" in flags:
                await call.out(member.name + "\n")
            if "x" in flags:
                await _place(call, archive, member, base)
    return 0


async def _place(call: Call, archive: tarfile.TarFile, member: tarfile.TarInfo, base: str) -> None:
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
        reader = archive.extractfile(member)
        while reader is not None and (data := reader.read(_CHUNK)):
            call.files.write(file, data, path)
            await asyncio.sleep(0)
        file.mtime = float(member.mtime)
