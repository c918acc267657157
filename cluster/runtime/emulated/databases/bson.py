"""As much of BSON and of MongoDB's wire protocol as a hello and a ping need. Sans-IO.

Source: https://bsonspec.org; MongoDB manual, "Wire Protocol".
"""

import struct
from typing import Any, Final

_REPLY, _QUERY, _MESSAGE = 1, 2004, 2013
NOT_EMULATED: Final = "commands on data are not emulated: this server accepts connections only"


def encode(document: dict[str, Any]) -> bytes:
    """A document of strings, numbers, truths and documents."""
    made = b"".join(_element(name, value) for name, value in document.items())
    return struct.pack("<i", len(made) + 5) + made + b"\0"


def _element(name: str, value: Any) -> bytes:
    key = name.encode() + b"\0"
    if isinstance(value, bool):
        return b"\x08" + key + bytes([value])
    if isinstance(value, int):
        return b"\x10" + key + struct.pack("<i", value)
    if isinstance(value, float):
        return b"\x01" + key + struct.pack("<d", value)
    if isinstance(value, str):
        data = value.encode() + b"\0"
        return b"\x02" + key + struct.pack("<i", len(data)) + data
    if isinstance(value, list):
        inner = encode({str(at): one for at, one in enumerate(value)})
        return b"\x04" + key + inner
    return b"\x03" + key + encode(value)


def first_name(data: bytes) -> str:
    """The name of a document's first element: the command. ValueError."""
    if len(data) < 6 or data[4] == 0:
        return ""
    return data[5 : data.index(0, 5)].decode(errors="replace")


def answer(head: bytes, body: bytes, version: str, now: int) -> bytes:
    """What a request (its 16 bytes of head, and the rest) is answered. ValueError, struct.error."""
    _, number, _, operation = struct.unpack("<iiii", head)
    if operation == _QUERY:
        at = body.index(0, 4) + 1 + 8
        document = encode(_reply(first_name(body[at:]), version, now))
        rest = struct.pack("<iqii", 8, 0, 0, 1) + document
        return struct.pack("<iiii", len(rest) + 16, 0, number, _REPLY) + rest
    if operation != _MESSAGE or len(body) < 10 or body[4] != 0:
        raise ValueError("an operation that is not emulated")
    document = encode(_reply(first_name(body[5:]), version, now))
    rest = struct.pack("<i", 0) + b"\0" + document
    return struct.pack("<iiii", len(rest) + 16, 0, number, _MESSAGE) + rest


def _reply(command: str, version: str, now: int) -> dict[str, Any]:
    if command.lower() in ("hello", "ismaster"):
        return {
            "isWritablePrimary": True, "ismaster": True, "helloOk": True,
            "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000, "logicalSessionTimeoutMinutes": 30, "connectionId": 1,
            "minWireVersion": 0, "maxWireVersion": 21, "readOnly": False, "ok": 1.0,
        }  # fmt: skip
    if command == "ping":
        return {"ok": 1.0}
    if command == "buildInfo":
        parts = [int(part) for part in version.split(".")]
        return {"version": version, "versionArray": [*parts, 0][:4], "bits": 64, "ok": 1.0}
    if command == "endSessions":
        return {"ok": 1.0}
    return {"ok": 0.0, "errmsg": NOT_EMULATED, "code": 115, "codeName": "CommandNotSupported"}
