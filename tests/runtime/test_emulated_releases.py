"""What an image's tag says of its server's version."""

import re

import pytest

from cluster.runtime.emulated import releases
from cluster.runtime.emulated.databases import pgwire
from cluster.runtime.emulated.redis import program as redis

TAGS = [
    ("8.0", "8.4.3", releases.MYSQL, "8.0.40"),
    ("8", "8.4.3", releases.MYSQL, "8.4.3"),
    ("5.7-debian", "8.4.3", releases.MYSQL, "5.7.44"),
    ("8.0.33", "8.4.3", releases.MYSQL, "8.0.33"),
    ("10.11", "11.6.2", releases.MARIADB, "10.11.10"),
    ("10.1", "11.6.2", releases.MARIADB, "10.1.48"),
    ("3", "4.0.3", releases.RABBITMQ, "3.13.7"),
    ("3-management", "4.0.3", releases.RABBITMQ, "3.13.7"),
    ("3.12-management-alpine", "4.0.3", releases.RABBITMQ, "3.12.14"),
    ("16", "17.2", releases.POSTGRES, "16.6"),
    ("16.2", "17.2", releases.POSTGRES, "16.2"),
    ("16.2.0-debian-12-r5", "17.2", releases.POSTGRES, "16.2"),
    ("9.6-alpine", "17.2", releases.POSTGRES, "9.6.24"),
    ("7", redis.VERSION, releases.REDIS, redis.VERSION),
    ("6-alpine", redis.VERSION, releases.REDIS, "6.2.16"),
    ("latest", "8.0.3", releases.MONGO, "8.0.3"),
    ("", "8.0.3", releases.MONGO, "8.0.3"),
    ("99", "8.0.3", releases.MONGO, "99.0.0"),
    ("v3.5.1-0", "3.5.17", "", "3.5.1"),
]


@pytest.mark.parametrize(("tag", "default", "known", "meant"), TAGS)
def test_a_line_is_its_last_release(tag: str, default: str, known: str, meant: str) -> None:
    assert releases.version(tag, default, known) == meant


@pytest.mark.parametrize(
    "known",
    [releases.MYSQL, releases.MARIADB, releases.POSTGRES, releases.RABBITMQ, releases.MONGO,
     releases.REDIS, releases.NODE],
)  # fmt: skip
def test_the_tables_are_in_order_with_a_line_once(known: str) -> None:
    found = [tuple(map(int, one.split("."))) for one in known.split()]
    assert found == sorted(found)
    assert len({one[:-1] for one in found}) == len(found)
    assert all(re.fullmatch(r"\d+(\.\d+){1,2}", one) for one in known.split())


@pytest.mark.parametrize(("version", "number"), [("16.6", "160006"), ("9.6.24", "90624")])
def test_postgres_numbers_its_versions(version: str, number: str) -> None:
    assert pgwire._numbered(version) == number
