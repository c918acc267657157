"""MongoDB's image: it accepts, authenticates and logs; `mongosh --eval` of health checks."""

import itertools
import random
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from cluster.runtime.emulated import releases, serving
from cluster.runtime.emulated.databases import bson, entrypoints, mongowire
from cluster.runtime.emulated.image import Image
from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream

PORT: Final = 27017
_UNSET: Final = """error: missing 'MONGO_INITDB_ROOT_USERNAME' or 'MONGO_INITDB_ROOT_PASSWORD'
       both must be specified for a user to be created
"""
_NAMES: Final = ("docker-entrypoint.sh", "mongod", "entrypoint.sh", "run.sh")


def _starts(_argv: Sequence[str], env: Mapping[str, str]) -> bool:
    user = entrypoints.given(env, "MONGO_INITDB_ROOT_USERNAME")
    return bool(user) == bool(entrypoints.given(env, "MONGO_INITDB_ROOT_PASSWORD"))


def _serves(argv: Sequence[str]) -> bool:
    rest = [word for word in (one.rpartition("/")[2] for one in argv) if word not in _NAMES]
    return not rest or rest[0].startswith("-")


def _version(call: Call) -> str:
    return releases.version(call.kernel.image_tag, "8.0.3", releases.MONGO)


@serving.server(when=_serves, starts=_starts)
async def mongod(call: Call) -> int:
    """`docker-entrypoint.sh mongod [--port PORT] [--replSet NAME] [--bind_ip_all]`."""
    words = [word for word in call.argv[1:] if word.rpartition("/")[2] not in _NAMES]
    if words and not words[0].startswith("-"):
        return await entrypoints.command(call, words)
    if not _starts(call.argv, call.env):
        await call.io.stderr.write(_UNSET.encode())
        return 1
    told = dict(itertools.pairwise(words)).get("--port", "")
    port = int(told) if told.isdigit() and 0 < int(told[:6]) < 65536 else PORT
    version = _version(call)
    lines = [
        _line(call, "CONTROL", 4615611, "MongoDB starting",
              {"pid": call.process.pid, "port": port, "architecture": "64-bit",
               "host": call.kernel.hostname}),
        _line(call, "CONTROL", 23403, "Build Info",
              {"buildInfo": {"version": version, "modules": ["emulated by kubemu"]}}),
        _line(call, "CONTROL", 0, mongowire.NOT_EMULATED, {}),
        _line(call, "NETWORK", 23015, "Listening on", {"address": "0.0.0.0"}),
        _line(call, "NETWORK", 23016, "Waiting for connections", {"port": port, "ssl": "off"}),
    ]  # fmt: skip

    user = entrypoints.secret(call, "MONGO_INITDB_ROOT_USERNAME")
    password = entrypoints.secret(call, "MONGO_INITDB_ROOT_PASSWORD")
    users = {user: password} if user else {}
    seed = f"{call.kernel.hostname}/{call.kernel.started}"
    chance = random.Random(seed)  # noqa: S311
    numbers = itertools.count(1)

    async def serve(stream: Stream) -> None:
        def nonce() -> str:
            return f"{chance.getrandbits(144):036x}"

        await _converse(call, stream, mongowire.Session(users, version, nonce, next(numbers)))

    return await entrypoints.serve(call, port, serve, lines)


def _line(call: Call, component: str, number: int, text: str, told: Mapping[str, object]) -> str:
    at = entrypoints.moment(call, "%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+00:00"
    row = {"t": {"$date": at}, "s": "I", "c": component, "id": number, "ctx": "initandlisten",
           "msg": text, "attr": told}  # fmt: skip
    return msgspec.json.encode(row).decode()


async def _converse(call: Call, stream: Stream, session: mongowire.Session) -> None:
    told = {"remote": str(stream.peer)}
    await call.out(_line(call, "NETWORK", 22943, "Connection accepted", told) + "\n")
    reader = entrypoints.Reader(stream)
    while True:
        head = await reader.exactly(16)
        body = await reader.body(struct.unpack("<i", head[:4])[0] - 16)
        try:
            answer = session.answer(head, body, int(call.kernel.clock.now() * 1000))
        except (ValueError, struct.error):
            return
        for line in session.log:
            await call.out(_line(call, "COMMAND", 0, line, told) + "\n")
        session.log.clear()
        if answer:
            await stream.send(answer)


async def mongosh(call: Call) -> int:
    """`mongosh [--host HOST] [--quiet] --eval SCRIPT`: `db.adminCommand('ping')`, `db.hello()`."""
    words = list(call.argv[1:])
    told = dict(itertools.pairwise(words))
    text = told.get("--eval", "")
    text = next((word.partition("=")[2] for word in words if word.startswith("--eval=")), text)
    host, _, port = told.get("--host", "127.0.0.1").partition(":")
    port = told.get("--port") or port or str(PORT)
    if not text:
        return await call.complain("only --eval SCRIPT is emulated")
    try:
        address = (await resolving.addresses(host, files=call.files, net=call.net))[0]
        stream = await call.net.connect(address, int(port) if port.isdigit() else PORT)
    except OSError as error:
        why = f"connect ECONNREFUSED {host}:{port}" if error.errno == 111 else error.strerror
        await call.io.stderr.write(f"MongoNetworkError: {why}\n".encode())
        return 1
    found = re.search(r"(ping|hello|isMaster|ismaster|buildInfo|version)", text)
    command = found[1].replace("version", "buildInfo") if found else text[:40]
    body = struct.pack("<i", 0) + b"\0" + bson.encode({command: 1, "$db": "admin"})
    try:
        await stream.send(struct.pack("<iiii", len(body) + 16, 1, 0, 2013) + body)
        reader = entrypoints.Reader(stream)
        head = await reader.exactly(16)
        data = await reader.body(struct.unpack("<i", head[:4])[0] - 16)
        answer = bson.decode(data[5:])
    except (OSError, ValueError):
        await call.io.stderr.write(b"MongoNetworkError: connection closed\n")
        return 1
    finally:
        stream.close()
    if not answer.get("ok"):
        await call.io.stderr.write(f"MongoServerError: {answer.get('errmsg')}\n".encode())
        return 1
    await call.out("1\n" if ".ok" in text else "{ ok: 1 }\n")
    return 0


_PROGRAMS: Final = {"docker-entrypoint.sh": mongod, "mongod": mongod, "mongosh": mongosh,
                    "mongo": mongosh}  # fmt: skip

IMAGES: Final = (
    Image(
        names=("library/mongo", "mongodb/mongodb-community-server"),
        entrypoint=("docker-entrypoint.sh",), cmd=("mongod",), ports=(PORT,),
        files={"/data/db/": "", "/data/configdb/": ""}, programs=_PROGRAMS,
    ),
    Image(
        names=("bitnami/mongodb", "bitnamilegacy/mongodb"),
        entrypoint=("/opt/bitnami/scripts/mongodb/entrypoint.sh",),
        cmd=("/opt/bitnami/scripts/mongodb/run.sh",), ports=(PORT,), user="1001",
        files={"/bitnami/mongodb/": ""},
        programs=_PROGRAMS | {"/opt/bitnami/scripts/mongodb/entrypoint.sh": mongod},
    ),
)  # fmt: skip
