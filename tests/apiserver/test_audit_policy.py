"""Audit: which rule decides, what an event leaves out, and where the lines go."""

import asyncio
import os
import re
from dataclasses import replace

import pytest

from cluster.aio import virtual
from cluster.api import identity
from cluster.apiserver.audit import events, logfile
from cluster.apiserver.audit.logfile import LogFile, Rotation
from cluster.apiserver.audit.policy import Asked, Level, read

JANE = identity.User("jane", ("devs", "system:authenticated"))
POD = Asked(JANE, "get", "/api/v1/namespaces/x/pods/a", "", "pods", "", "x", "a")
LOG = replace(POD, subresource="log")
NODE = Asked(JANE, "list", "/api/v1/nodes", "", "nodes")
PATH = Asked(JANE, "get", "/healthz/etcd")


def policy(*rules, **more):
    return read({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more})


def resources(*names, group="", **more):
    return {"resources": [{"group": group, "resources": list(names), **more}]}


@pytest.mark.parametrize(
    ("rule", "asked", "matches"),
    [
        ({}, POD, True),
        ({}, PATH, True),
        ({"users": ["jane"]}, POD, True),
        ({"users": ["bob"]}, POD, False),
        ({"userGroups": ["devs"]}, POD, True),
        ({"userGroups": ["ops"]}, POD, False),
        ({"verbs": ["get", "list"]}, POD, True),
        ({"verbs": ["create"]}, POD, False),
        ({"namespaces": ["x"]}, POD, True),
        ({"namespaces": ["y"]}, POD, False),
        ({"namespaces": [""]}, NODE, True),
        ({"namespaces": [""]}, PATH, False),
        (resources("pods"), POD, True),
        (resources("pods"), LOG, False),
        (resources("pods/log"), LOG, True),
        (resources("pods/*"), LOG, True),
        (resources("pods/*"), POD, False),
        (resources("*/log"), LOG, True),
        (resources("*/scale"), LOG, False),
        (resources("*"), LOG, True),
        (resources(), POD, True),
        (resources(group="apps"), POD, False),
        (resources("pods", resourceNames=["a"]), POD, True),
        (resources("pods", resourceNames=["b"]), POD, False),
        (resources("pods"), PATH, False),
        ({"nonResourceURLs": ["/healthz*"]}, PATH, True),
        ({"nonResourceURLs": ["/healthz"]}, PATH, False),
        ({"nonResourceURLs": ["*"]}, PATH, True),
        ({"nonResourceURLs": ["*"]}, POD, False),
    ],
)
def test_what_a_rule_is_for(rule, asked, matches):
    verdict = policy({"level": "Request", **rule}).verdict(asked)
    assert verdict.level is (Level.REQUEST if matches else Level.NONE)


def test_the_first_rule_decides():
    found = policy(
        {"level": "None", "users": ["jane"], "verbs": ["get"]},
        {"level": "Metadata", "users": ["jane"], "omitStages": ["RequestReceived"]},
        {"level": "RequestResponse", "omitManagedFields": False},
        omitStages=["Panic"], omitManagedFields=True,
    )  # fmt: skip
    assert found.verdict(POD).level is Level.NONE
    assert not found.verdict(POD).tells("ResponseComplete")
    second = found.verdict(NODE)
    assert second.level is Level.METADATA
    assert [second.tells(s) for s in ("RequestReceived", "Panic", "ResponseComplete")] == [
        False, False, True,
    ]  # fmt: skip
    assert second.omit_managed_fields
    third = found.verdict(replace(POD, user=identity.User("bob")))
    assert third.level is Level.REQUEST_RESPONSE
    assert not third.omit_managed_fields


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "is a mapping"),
        ({"kind": "Policy", "apiVersion": "v1", "rules": [{}]}, "audit.k8s.io/v1"),
        ({"rules": []}, "at least one rule"),
        ({"rules": [{"level": "All"}]}, r"rules\[0\].level: give one of None, Metadata"),
        ({"rules": [{"level": "None", "verb": []}]}, r"rules\[0\].verb: there is no such field"),
        ({"rules": [{"level": "None", "verbs": "get"}]}, "give a list of texts"),
        ({"rules": [{"level": "None", "omitStages": ["End"]}]}, "'End' is none of"),
        ({"rules": [{"level": "None", "nonResourceURLs": ["x"]}]}, "must begin with /"),
        ({"rules": [{"level": "None", "nonResourceURLs": ["/"], "namespaces": ["x"]}]},
         "cannot apply to both"),
        ({"rules": [{"level": "None", "resources": [{"resourceNames": ["a"]}]}]},
         "requires at least one resource"),
    ],
)  # fmt: skip
def test_policies_that_cannot_be_used(document, said):
    if isinstance(document, dict):
        document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy"} | document
    with pytest.raises(ValueError, match=said):
        read(document)


def test_an_event_says_nothing_that_is_not_known():
    verdict = policy({"level": "Metadata"}).verdict(PATH)
    facts = events.Facts("id", "/healthz/etcd?x=1", PATH, verdict, 1_700_000_000.25, user=JANE)
    assert events.event(facts, "RequestReceived", 1_700_000_001.5) == (
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"id",'
        b'"stage":"RequestReceived","requestURI":"/healthz/etcd?x=1","verb":"get",'
        b'"user":{"username":"jane","groups":["devs","system:authenticated"]},'
        b'"requestReceivedTimestamp":"2023-11-14T22:13:20.250000Z",'
        b'"stageTimestamp":"2023-11-14T22:13:21.500000Z"}\n'
    )


class Still:
    def now(self) -> float:
        return 1_700_000_000.123


def written(path, story, **settings):
    async def main():
        log = LogFile(str(path), Still(), Rotation(**settings))
        log.open()
        try:
            await story(log)
        finally:
            log.close()
        return log

    return virtual.run(main())


async def rest(seconds=logfile.FLUSH_SECONDS * 3):
    await asyncio.sleep(seconds)


def test_lines_are_written_together_and_at_the_end(tmp_path):
    path = tmp_path / "audit.log"

    async def story(log):
        log.add(b"one\n")
        log.add(b"two\n")
        assert path.read_bytes() == b""
        await rest()
        assert path.read_bytes() == b"one\ntwo\n"
        log.add(b"three\n")

    written(path, story)
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_put_aside(tmp_path):
    path = tmp_path / "audit.log"
    line = b"x" * (1 << 18) + b"\n"

    async def story(log):
        for _ in range(5):
            log.add(line)
            await rest()

    written(path, story, megabytes=1)
    (old,) = [each.name for each in tmp_path.iterdir() if each != path]
    assert old == "audit-2023-11-14T22-13-20.123.log"
    assert (tmp_path / old).stat().st_size + path.stat().st_size == 5 * len(line)


def test_what_cannot_be_written_is_held_and_then_dropped(tmp_path, monkeypatch):
    real, broken = os.write, [True]

    def write(file, data):
        if broken[0]:
            raise OSError(28, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(logfile.os, "write", write)
    path = tmp_path / "audit.log"

    async def story(log):
        line = b"x" * (1 << 20)
        for _ in range(12):
            log.add(line)
        await rest()
        assert (log.taken, log.dropped) == (8, 4)
        broken[0] = False
        await rest(5)
        assert path.stat().st_size == 8 << 20
        log.add(b"again\n")

    log = written(path, story)
    assert log.taken == 9
    assert path.read_bytes().endswith(b"again\n")


def test_a_pipe_that_nobody_reads_stops_nothing():
    reader, writer = os.pipe()
    kept = os.dup(1)
    os.dup2(writer, 1)
    try:

        async def story(log):
            for _ in range(100):
                log.add(b"y" * 4000 + b"\n")
            await rest(5)
            assert log._held > 0
            first = os.read(reader, 1 << 20)
            assert re.fullmatch(rb"(y{4000}\n)+y*", first)

        written("-", story)
    finally:
        os.dup2(kept, 1)
        for file in (reader, writer, kept):
            os.close(file)


DAY = 86400.0
NAMES = [logfile.rotated("audit.log", 1_700_000_000 - n * DAY) for n in range(5)]


@pytest.mark.parametrize(
    ("rotation", "gone"),
    [
        (Rotation(), []),
        (Rotation(backups=2), NAMES[2:]),
        (Rotation(days=3), NAMES[4:]),
        (Rotation(days=3, backups=1), NAMES[1:]),
    ],
)
def test_old_files_go(rotation, gone):
    there = [*reversed(NAMES), "audit.log", "audit-x.log", "other-2023-11-14T22-13-20.000.log"]
    assert logfile.expired("audit.log", there, 1_700_000_000, rotation) == gone


def test_settings_are_checked():
    with pytest.raises(ValueError, match="must not be negative"):
        Rotation(days=-1)
