"""Apache's variant of MD5 passwords, as `htpasswd` writes them. Pure."""

import hashlib
from typing import Final

_DIGITS: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER: Final = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_ROUNDS: Final = 1000


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def apr1(password: bytes, salt: bytes) -> str:
    """`$apr1$SALT$HASH`: MD5-crypt with a mark of its own."""
    salt, size = salt[:8], len(password)
    inner = _md5(password + salt + password)
    data = password + b"$apr1$" + salt + (inner * (size // 16 + 1))[:size]
    bits = size
    while bits:
        data += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    found = _md5(data)
    for turn in range(_ROUNDS):
        odd = turn & 1
        data = password if odd else found
        data += salt if turn % 3 else b""
        data += password if turn % 7 else b""
        found = _md5(data + (found if odd else password))
    text = ""
    for a, b, c in _ORDER:
        value = found[a] << 16 | found[b] << 8 | found[c]
        for _ in range(4):
            text += _DIGITS[value & 63]
            value >>= 6
    return f"$apr1${salt.decode()}${text}{_DIGITS[found[11] & 63]}{_DIGITS[found[11] >> 6]}"
