"""Clients of MySQL's images: `mysql -e`, `mysqladmin ping`, and MariaDB's `healthcheck.sh`."""

import struct
from typing import Final

from cluster.runtime.emulated import releases
from cluster.runtime.emulated.databases import entrypoints, mysqlwire
from cluster.runtime.emulated.databases.mysqlanswers import packet as packed
from cluster.runtime.vos import resolving, streams
from cluster.runtime.vos.kernel import Call

PORT: Final = 3306
_FLAGS: Final = "NBstrvfAqEL"
"""Options of one letter without a value, which may be joined: `-Ne`."""


class _Refused(Exception):
    """The server answers with an error."""

    def __init__(self, body: bytes) -> None:
        (self.number,) = struct.unpack("<H", body[1:3])
        self.state = body[4:9].decode(errors="replace")
        self.text = body[9:].decode(errors="replace")
        super().__init__(self.text)


async def packet(reader: entrypoints.Reader) -> tuple[int, bytes]:
    """A packet's number, and its body, of which only the begin is kept. ConnectionResetError."""
    head = await reader.exactly(4)
    return head[3], await reader.body(struct.unpack("<I", head[:3] + b"\0")[0])


def _options(call: Call) -> tuple[dict[str, str], list[str]]:
    names = {"host": "h", "user": "u", "password": "p", "port": "P", "execute": "e"}
    found: dict[str, str] = {}
    rest: list[str] = []
    words = list(call.argv[1:])
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            key = names.get(name, name)
            takes = not equals and name in names and name != "password" and bool(words)
            found[key] = value if equals else words.pop(0) if takes else ""
        elif word[:1] == "-" and len(word) > 1:
            while len(word) > 2 and word[1] in _FLAGS:
                found[word[1]] = ""
                word = f"-{word[2:]}"
            letter, value = word[1], word[2:]
            takes = letter in "huPeDS" and not value and bool(words)
            found[letter] = words.pop(0) if takes else value
        else:
            rest.append(word)
    return found, rest


async def _asked(call: Call, found: dict[str, str], command: bytes) -> list[list[str | None]]:
    """What a server answers to a login, then to a command: the names and rows of a result, if it
    is one. _Refused; OSError.
    """
    host = found.get("h") or "127.0.0.1"
    port = int(found["P"]) if found.get("P", "x").isdigit() else PORT
    place = (await resolving.addresses(host, files=call.files, net=call.net))[0]
    stream = await call.net.connect(place, port)
    reader = entrypoints.Reader(stream)

    async def received() -> tuple[int, bytes]:
        number, body = await packet(reader)
        if body[:1] == b"\xff":
            raise _Refused(body)
        return number, body

    try:
        number, greeting = await received()
        user = found.get("u") or "root"
        password = found.get("p") or call.env.get("MYSQL_PWD") or ""
        body = mysqlwire.login(user, password, found.get("D", ""), greeting)
        await stream.send(packed(1, body))
        number, body = await received()
        if body[:1] == b"\xfe":
            await stream.send(packed(number + 1, mysqlwire.switched(password, body)))
            number, body = await received()
        if body[:1] == b"\1":
            await received()
        if not command:
            return []
        await stream.send(packed(0, command))
        _, body = await received()
        if body[:1] == b"\0" or command[0] != 3:
            return []
        names = [_column((await received())[1]) for _ in range(body[0])]
        await received()
        rows: list[list[str | None]] = [list(names)]
        while (body := (await received())[1])[:1] != b"\xfe":
            rows.append(_fields(body))
        return rows
    except (IndexError, ValueError, struct.error):
        raise ConnectionResetError from None
    finally:
        stream.close()


def _column(body: bytes) -> str:
    """The name in a column's definition: its fifth string."""
    return _fields(body, 5)[4] or ""


def _fields(body: bytes, most: int = 1000) -> list[str | None]:
    """Strings with their lengths before them. IndexError."""
    found: list[str | None] = []
    at = 0
    while at < len(body) and len(found) < most:
        size, at = body[at], at + 1
        if size == 0xFB:
            found.append(None)
            continue
        if size == 0xFD:
            size, at = int.from_bytes(body[at : at + 3], "little"), at + 3
        found.append(body[at : at + size].decode(errors="replace"))
        at += size
    return found


def _unreachable(found: dict[str, str], error: OSError) -> str:
    host = found.get("h")
    if host and host != "localhost":
        return f"Can't connect to MySQL server on '{host}:{found.get('P') or PORT}' ({error.errno})"
    return (
        "Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' "
        f"({error.errno})"
    )


async def mysqladmin(call: Call) -> int:
    """`mysqladmin [-h HOST] [-u USER] [-pPASSWORD] ping|status|version`."""
    found, rest = _options(call)
    what = rest[0] if rest else ""
    if what not in ("ping", "status", "version"):
        return await call.complain(f"{what or 'no command'} is not emulated: only ping and status")
    silent = "silent" in found or "s" in found
    begin = f"{call.argv[0].rpartition('/')[2]}: connect to server at "
    begin += f"'{found.get('h') or 'localhost'}' failed\nerror: '"
    try:
        await _asked(call, found, b"\x0e")
    except _Refused as refused:
        if not silent:
            await call.io.stderr.write(f"{begin}{refused.text}'\n".encode())
        if what != "ping":
            return 1
        # One who denies access is alive.
    except OSError as error:
        if not silent:
            await call.io.stderr.write(f"{begin}{_unreachable(found, error)}'\n".encode())
        return 1
    if not silent:
        await call.out("mysqld is alive\n" if what == "ping" else "Uptime: 0  Threads: 1\n")
    return 0


async def mysql(call: Call) -> int:
    """`mysql [-h HOST] [-u USER] [-pPASSWORD] [-N] [-e QUERY] [DATABASE]`, or QUERY by stdin."""
    found, rest = _options(call)
    if "version" in found or "V" in found:
        known = releases.version(call.kernel.image_tag, "8.4.3", releases.MYSQL)
        await call.out(f"mysql  Ver {known} for Linux on x86_64 (emulated by kubemu)\n")
        return 0
    found.setdefault("D", found.get("database") or (rest[0] if rest else ""))
    query = found.get("e", "").encode(errors="replace")
    if "e" not in found:
        if call.process.tty is not None:
            return await call.complain("only -e QUERY, or a query by stdin, is emulated")
        query = await streams.everything(call.io.stdin)
    try:
        rows = await _asked(call, found, b"\x03" + query)
    except _Refused as refused:
        line = f"ERROR {refused.number} ({refused.state}): {refused.text}\n"
        await call.io.stderr.write(line.encode())
        return 1
    except OSError as error:
        number = 2003 if found.get("h", "localhost") != "localhost" else 2002
        line = f"ERROR {number} (HY000): {_unreachable(found, error)}\n"
        await call.io.stderr.write(line.encode())
        return 1
    if "N" in found or "skip-column-names" in found:
        rows = rows[1:]
    for row in rows:
        await call.out("\t".join("NULL" if one is None else one for one in row) + "\n")
    return 0


async def healthcheck(call: Call) -> int:
    """`healthcheck.sh --connect --innodb_initialized` of MariaDB's image."""
    try:
        await _asked(call, {}, b"")
    except _Refused as refused:
        return int(refused.number != 1045)
    except OSError:
        await call.io.stderr.write(b"ERROR 2002 (HY000): Can't connect to local server\n")
        return 1
    return 0
