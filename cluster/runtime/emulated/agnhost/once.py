"""agnhost's subcommands that tell something, or do something once."""

import asyncio
import json
import signal
import stat
import zlib
from typing import Final

from cluster.runtime.emulated.agnhost.flags import read
from cluster.runtime.emulated.web import golang, names
from cluster.runtime.emulated.web.messages import split_host
from cluster.runtime.vos.kernel import Call, decoded, encoded
from cluster.runtime.vos.nodes import Folder

_NEW: Final = "mount-tester new file\n"
_EVERY: Final = 2.0
_BATCH: Final = 0.02
_METHODS: Final = ("GET", "POST", "PUT")
_NAMESPACES: Final = ("kube-system", "default", "ns")
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"


async def pause(call: Call) -> int:
    """`agnhost pause`: SIGINT ends it with 1, SIGTERM with 2."""
    await call.out("Paused\n")
    ended = asyncio.get_running_loop().create_future()

    def end(number: int) -> None:
        if not ended.done():
            ended.set_result(1 if number == signal.SIGINT else 2)

    for number in (signal.SIGINT, signal.SIGTERM):
        call.process.handlers[int(number)] = end
    code = int(await ended)
    await call.out(f"exiting {code}\n")
    return code


async def _resolver(call: Call, word: str) -> int:
    for line in decoded(call.files.read("/etc/resolv.conf")).split("\n"):
        if line.startswith(word):
            await call.out(",".join(line.split(" ")[1:]) + "\n")
            return 0
    await call.io.stderr.write(b"panic: Could not find DNS search list!\n")
    return 2


async def dns_suffix(call: Call) -> int:
    """`agnhost dns-suffix`: the search list."""
    return await _resolver(call, "search")


async def dns_server_list(call: Call) -> int:
    """`agnhost dns-server-list`."""
    return await _resolver(call, "nameserver")


async def etc_hosts(call: Call) -> int:
    """`agnhost etc-hosts`."""
    await call.out(decoded(call.files.read("/etc/hosts")) + "\n")
    return 0


async def entrypoint_tester(call: Call) -> int:
    """`agnhost entrypoint-tester ARGS…`: what it was called with."""
    await call.out(f"[{' '.join(call.argv)}]\n")
    return 0


async def logs_generator(call: Call) -> int:
    """`agnhost logs-generator -t LINES -d DURATION`: lines at an even pace."""
    known = {"log-lines-total": "0", "run-duration": "0", "t=log-lines-total": "",
             "d=run-duration": ""}  # fmt: skip
    given = read(call.argv[2:], known)
    lines, seconds = given.number("log-lines-total"), given.seconds("run-duration")
    place = "logs_generator.go"
    if lines <= 0:
        await golang.klog(call, f"Invalid total number of lines: {lines}", "F", f"{place}:67")
        return 255
    if seconds <= 0:
        said = f"Invalid duration: {golang.duration(seconds)}"
        await golang.klog(call, said, "F", f"{place}:71")
        return 255
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(lines):
        await golang.klog(call, _line(call.kernel.hostname, number), "I", f"{place}:76")
        left = begun + (number + 1) * seconds / lines - loop.time()
        if left > _BATCH or number + 1 == lines:
            await asyncio.sleep(max(left, 0.0))
        elif number % 500 == 499:
            await asyncio.sleep(0)
    return 0


def _line(hostname: str, number: int) -> str:
    """A line as an API server's; what is random in it is made of its number."""
    lot = zlib.crc32(f"{hostname}/{number}".encode())
    pod = "".join(
        _LETTERS[(lot >> shift) % len(_LETTERS)] for shift in (3, 9, 15, 21)[: 3 + lot % 2]
    )
    where = f"/api/v1/namespaces/{_NAMESPACES[lot % 3]}/pods/{pod}"
    return f"{number} {_METHODS[(lot >> 5) % 3]} {where} {200 + (lot >> 8) % 400}"


async def connect(call: Call) -> int:
    """`agnhost connect HOST:PORT [--timeout=…]`: whether a connection comes about, and why not."""
    given = read(call.argv[2:], {"timeout": "0", "protocol": "tcp"})
    seconds = given.seconds("timeout")
    if len(given.rest) != 1:
        raise_text = f"accepts 1 arg(s), received {len(given.rest)}"
        await call.io.stderr.write(encoded(f"Error: {raise_text}\n"))
        return 1
    if given.text("protocol") != "tcp":
        await call.io.stderr.write(b"Unsupported protocol in the emulated agnhost\n")
        return 1
    said = await _connected(call, given.rest[0], seconds)
    if said:
        await call.io.stderr.write(encoded(said + "\n"))
    return 1 if said else 0


async def _connected(call: Call, where: str, seconds: float) -> str:
    """What went wrong; "" for nothing."""
    host, port = split_host(where)
    if not port:
        return f"UNKNOWN: address {where}: missing port in address"
    try:
        await names.addresses(call, host)
    except names.Unknown:
        return f"DNS: lookup {host}: no such host"
    try:
        async with asyncio.timeout(seconds or None):
            stream = await names.connected(call, host, port)
        stream.close()
    except TimeoutError:
        return "TIMEOUT"
    except ConnectionRefusedError:
        return "REFUSED"
    except OSError as error:
        return f"OTHER: dial tcp {where}: connect: {str(error.strerror).lower()}"
    return ""


async def inclusterclient(call: Call) -> int:
    """`agnhost inclusterclient`: it needs TLS, which is not built."""
    read(call.argv[2:], {"poll-interval": "30"})
    await golang.klog(call, "started")
    path = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    if "KUBERNETES_SERVICE_HOST" not in call.env or not call.files.exists(path):
        await golang.log(
            call,
            "err: unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
            "KUBERNETES_SERVICE_PORT must be defined",
        )
        return 1
    await golang.log(call, "err: TLS is not built in the emulated agnhost")
    return 1


# ---- mounttest -------------------------------------------------------------------------------

_MOUNTTEST: Final = {
    "fs_type": "", "file_mode": "", "file_perm": "", "file_owner": "", "new_file_0644": "",
    "new_file_0666": "", "new_file_0660": "", "new_file_0777": "", "file_content": "",
    "file_content_in_loop": "", "retry_time": "180", "break_on_expected_content": "true",
}  # fmt: skip


class _Mounttest:
    def __init__(self, call: Call) -> None:
        self._call = call
        self.failed = False

    async def _fault(self, what: str, path: str, error: OSError, word: str) -> None:
        self.failed = True
        why = str(error.strerror).lower()
        await self._call.out(f'{what} "{path}": {word} {path}: {why}\n')

    async def write(self, path: str, mode: int) -> None:
        """Write a new file, and show it."""
        try:
            self._call.files.put(path, encoded(_NEW), mode)
        except OSError as error:
            await self._fault("error writing new file", path, error, "open")
            return
        await self.content(path)

    async def content(self, path: str) -> None:
        """Show a file."""
        try:
            data = decoded(self._call.files.read(path))
        except OSError as error:
            await self._fault("error reading file content for", path, error, "open")
            return
        await self._call.out(f"content of file {_quoted(path)}: {data}\n")

    async def about(self, path: str, what: str) -> None:
        """Show a file's mode, permissions, or owner."""
        try:
            node = self._call.files.find(path)
        except OSError as error:
            await self._fault("error from Stat", path, error, "stat")
            return
        if what == "file_owner":
            for word in ("UID", "GID"):
                await self._call.out(f"owner {word} of {_quoted(path)}: "
                                     f"{getattr(node, word.lower(), 0)}\n")  # fmt: skip
            return
        shown = _mode(node.mode, folder=isinstance(node, Folder), whole=what == "file_mode")
        word = "mode" if what == "file_mode" else "perms"
        await self._call.out(f"{word} of file {_quoted(path)}: {shown}\n")

    async def loop(self, path: str, seconds: int, *, ends: bool) -> None:
        """Show a file again and again."""
        clock = asyncio.get_running_loop()
        begun, error = clock.time(), ""
        while clock.time() - begun < seconds:
            try:
                data = decoded(self._call.files.read(path))
                error = ""
                await self._call.out(f"content of file {_quoted(path)}: {data}\n")
                if ends and data == _NEW:
                    return
                if ends:
                    await self._call.out(f"Unexpected content. Expected: {_NEW}. Retrying")
            except OSError as fault:
                error = f"open {path}: {str(fault.strerror).lower()}"
                await self._call.out(f"Error reading file {path}: {error}, retrying\n")
            await asyncio.sleep(_EVERY)
        self.failed |= bool(error)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _mode(mode: int, *, folder: bool, whole: bool) -> str:
    """A mode as Go prints it."""
    letters = stat.filemode(stat.S_IFREG | (mode & 0o777))[1:]
    if not whole:
        return f"-{letters}"
    marks = "".join(letter for bit, letter in ((stat.S_ISUID, "u"), (stat.S_ISGID, "g"),
                                               (stat.S_ISVTX, "t")) if mode & bit)  # fmt: skip
    head = ("d" if folder else "") + marks
    return (head or "-") + letters


async def mounttest(call: Call) -> int:
    """`agnhost mounttest --file_mode=PATH …`."""
    given = read(call.argv[2:], _MOUNTTEST)
    made = _Mounttest(call)
    if given.text("fs_type"):
        await call.out("the type of a file system is not known in the emulated agnhost\n")
        made.failed = True
    for mode in ("0644", "0666", "0660", "0777"):
        if given.text(f"new_file_{mode}"):
            await made.write(given.text(f"new_file_{mode}"), int(mode, 8))
    for what in ("file_mode", "file_perm", "file_owner"):
        if given.text(what):
            await made.about(given.text(what), what)
    if given.text("file_content"):
        await made.content(given.text("file_content"))
    if given.text("file_content_in_loop"):
        ends = given.flag("break_on_expected_content")
        path = given.text("file_content_in_loop")
        await made.loop(path, given.number("retry_time"), ends=ends)
    return int(made.failed)
