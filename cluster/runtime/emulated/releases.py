"""Releases of emulated servers: what the tag of a line (`mysql:8.0`, `postgres:16`) stands for.

Each table has the last release of lines, oldest first. They need not be whole: a line that is in
none is taken at its `.0`.
"""

import re
from typing import Final

_TAG: Final = re.compile(r"v?(\d{1,4}(?:\.\d{1,4}){0,3})(?![\d.])")
MYSQL: Final = "5.5.62 5.6.51 5.7.44 8.0.40 8.1.0 8.2.0 8.3.0 8.4.3 9.0.1 9.1.0"
MARIADB: Final = (
    "5.5.64 10.0.38 10.1.48 10.2.44 10.3.39 10.4.34 10.5.27 10.6.20 10.7.8 10.8.8 10.9.8 10.10.7 "
    "10.11.10 11.0.6 11.1.6 11.2.6 11.3.2 11.4.4 11.5.2 11.6.2"
)
POSTGRES: Final = (
    "9.3.25 9.4.26 9.5.25 9.6.24 10.23 11.22 12.22 13.18 14.15 15.10 16.6 17.2"
)  # fmt: skip
RABBITMQ: Final = "3.6.16 3.7.28 3.8.34 3.9.29 3.10.25 3.11.28 3.12.14 3.13.7 4.0.3"
MONGO: Final = "3.6.23 4.0.28 4.2.24 4.4.29 5.0.30 6.0.19 7.0.15 8.0.3"
REDIS: Final = "3.2.12 4.0.14 5.0.14 6.0.20 6.2.16 7.0.15 7.2.6 7.4.1"
NODE: Final = (
    "8.17.0 10.24.1 12.22.12 14.21.3 16.20.2 18.20.8 19.9.0 20.19.5 21.7.3 22.20.0 23.11.1 24.9.0"
)  # fmt: skip


def version(tag: str, default: str, known: str = "") -> str:
    """The version that an image's tag begins with: `8.0-debian` is the last release of that line
    that is `known`. `default` where it begins with none; it has as many numbers as all have.
    """
    found = _TAG.match(tag)
    if found is None:
        return default
    told = found[1].split(".")
    for one in (default, *reversed(known.split())):
        if one.split(".")[: len(told)] == told:
            return one
    parts = default.count(".") + 1
    return ".".join(told[:parts] + ["0"] * (parts - len(told)))
