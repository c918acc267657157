"""Values are stored encrypted, read as plain text, and rotated by writing them again."""

import asyncio
import base64
import contextlib
import random

import msgspec
import pytest
from registry_world import EPOCH, USER

from cluster.aio import clock, tasks, virtual
from cluster.api import errors, resources
from cluster.api.operations import Operation, Verb
from cluster.apiserver import addons
from cluster.apiserver.encryption import ciphers, configuration
from cluster.apiserver.encryption.store import Encrypted
from cluster.apiserver.registry import Registry
from cluster.storage.memory import MemoryStorage
from cluster.storage.sqlite import SqliteStorage

SECRET = b"canary-of-encryption"
KINDS = ("aesgcm", "aescbc", "secretbox")


def config(*providers, names=("secrets",)):
    return configuration.read(
        {
            "apiVersion": configuration.API_VERSION,
            "kind": configuration.KIND,
            "resources": [{"resources": list(names), "providers": list(providers)}],
        }
    )


def keyed(kind, *names):
    keys = [
        {"name": name, "secret": base64.b64encode(name.encode().ljust(32, b"_")).decode()}
        for name in names
    ]
    return {kind: {"keys": keys}}


IDENTITY = {"identity": {}}


@contextlib.asynccontextmanager
async def serving(inner, encryption=None):
    """A registry over `inner`, and the encrypting store between, if any."""
    store = Encrypted(inner, encryption) if encryption is not None else inner
    async with tasks.Group("test"):
        registry = Registry(
            resources.built_in(), store, random=random.Random(1),
            clock=clock.LoopClock(asyncio.get_running_loop(), EPOCH),
        )  # fmt: skip
        if encryption is not None:
            registry.cache.stale, registry.cache.reason = store.stale, store.reason
        await registry.open()
        try:
            yield registry, store
        finally:
            await registry.close()


def secret(name="s", text=SECRET):
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"},
        "data": {"password": base64.b64encode(text).decode()},
    }  # fmt: skip


async def write(registry, verb, obj, resource="secrets"):
    name = "" if verb is Verb.CREATE else obj["metadata"]["name"]
    body = b"" if verb is Verb.DELETE else msgspec.json.encode(obj)
    (result,) = await registry.write([Operation(verb, resource, "default", name, body=body)], USER)
    if isinstance(result, errors.StatusError):
        raise result
    return msgspec.json.decode(result.json)


async def read(registry, name="s"):
    entry = await registry.get("secrets", "default", name)
    return base64.b64decode(msgspec.json.decode(entry.json)["data"]["password"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_stored_under_its_keys_prefix_and_nobody_above_sees_it(kind):
    async def story():
        inner = MemoryStorage()
        async with serving(inner, config(keyed(kind, "key1"), IDENTITY)) as (registry, _):
            watch = await registry.watch("secrets", "default", revision="0")
            await write(registry, Verb.CREATE, secret())
            stored = await inner.get("/registry/secrets/default/s")
            assert stored.value.startswith(f"k8s:enc:{kind}:v1:key1:".encode())
            assert base64.b64encode(SECRET) not in stored.value
            assert await read(registry) == SECRET
            changed = await write(registry, Verb.UPDATE, secret(text=b"other"))
            assert changed["data"]["password"] == base64.b64encode(b"other").decode()
            await write(registry, Verb.DELETE, secret())
            seen = []
            while not seen or seen[-1].type != "DELETED":
                seen += (await anext(watch)).events
            told = [event.json for event in seen if event.type != "BOOKMARK"]
            assert len(told) == 3
            assert all(json.startswith(b"{") for json in told)
            page = await registry.list("secrets", "default")
            assert page.items == []

    virtual.run(story())


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_stored_is_there_after_a_restart_and_pages_of_the_past_are_plain(kind):
    async def story():
        inner = MemoryStorage()
        encryption = config(keyed(kind, "key1"))
        async with serving(inner, encryption) as (registry, _):
            for name in ("a", "b", "c"):
                await write(registry, Verb.CREATE, secret(name))
        async with serving(inner, encryption) as (registry, _):
            first = await registry.list("secrets", "default", limit=1)
            await write(registry, Verb.UPDATE, secret("b", b"later"))
            rest = await registry.list("secrets", "default", token=first.token)
            found = [msgspec.json.decode(entry.json) for entry in rest.items]
            assert [obj["metadata"]["name"] for obj in found] == ["b", "c"]
            assert base64.b64decode(found[0]["data"]["password"]) == SECRET

    virtual.run(story())


def test_keys_are_rotated_by_writing_what_does_not_change():
    async def story():
        inner = MemoryStorage()
        async with serving(inner, config(keyed("aescbc", "old"))) as (registry, store):
            made = await write(registry, Verb.CREATE, secret())
            same = await write(registry, Verb.UPDATE, secret())
            assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
            store.replace(config(keyed("secretbox", "new"), keyed("aescbc", "old")))
            moved = await write(registry, Verb.UPDATE, secret())
            assert moved["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
            stored = await inner.get("/registry/secrets/default/s")
            assert stored.value.startswith(b"k8s:enc:secretbox:v1:new:")
            again = await write(registry, Verb.UPDATE, secret())
            assert again["metadata"]["resourceVersion"] == moved["metadata"]["resourceVersion"]
        async with serving(inner, config(keyed("secretbox", "new"))) as (registry, _):
            assert await read(registry) == SECRET

    virtual.run(story())


def test_encryption_can_be_begun_and_ended():
    async def story():
        inner = MemoryStorage()
        async with serving(inner) as (registry, _):
            await write(registry, Verb.CREATE, secret())
        async with serving(inner, config(keyed("aesgcm", "k"), IDENTITY)) as (registry, _):
            assert await read(registry) == SECRET
            await write(registry, Verb.UPDATE, secret())
            stored = await inner.get("/registry/secrets/default/s")
            assert stored.value.startswith(b"k8s:enc:aesgcm:v1:k:")
        async with serving(inner, config(IDENTITY, keyed("aesgcm", "k"))) as (registry, _):
            await write(registry, Verb.UPDATE, secret())
            assert (await inner.get("/registry/secrets/default/s")).value.startswith(b"{")

    virtual.run(story())


@pytest.mark.parametrize(
    ("encryption", "why"),
    [
        (None, "identity transformer tried to read encrypted data"),
        (config(IDENTITY), "identity transformer tried to read encrypted data"),
        (config(keyed("aescbc", "another")), "no matching prefix found"),
        (config(keyed("secretbox", "gone")), "no matching prefix found"),
    ],
)
def test_what_cannot_be_decrypted_is_an_error_of_its_own_and_nothing_else_suffers(encryption, why):
    async def story():
        inner = MemoryStorage()
        async with serving(inner, config(keyed("aescbc", "gone"))) as (registry, _):
            await write(registry, Verb.CREATE, secret())
        async with serving(inner, encryption) as (registry, _):
            key = "/registry/secrets/default/s"
            said = f'Internal error occurred: unable to transform key "{key}": {why}'
            for attempt in (
                read(registry),
                registry.list("secrets", "default"),
                registry.list("secrets"),
                registry.watch("secrets"),
                write(registry, Verb.CREATE, secret()),
                write(registry, Verb.UPDATE, secret()),
                write(registry, Verb.DELETE, secret()),
            ):
                with pytest.raises(errors.InternalError) as caught:
                    await attempt
                assert caught.value.message == said
            assert (await registry.list("secrets", "kube-system")).items == []
            made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
            await write(registry, Verb.CREATE, made, "configmaps")
            await registry.get("configmaps", "default", "c")

    virtual.run(story())


def test_a_server_starts_that_cannot_read_which_addons_were_made():
    async def story():
        inner = MemoryStorage()
        encryption = config(keyed("aescbc", "gone"), names=("configmaps",))
        async with serving(inner, encryption) as (registry, _):
            made = {"metadata": {"name": addons.MADE[1], "namespace": addons.MADE[0]}}
            operation = Operation(
                Verb.CREATE, "configmaps", addons.MADE[0], "", body=msgspec.json.encode(made)
            )
            await registry.write([operation], USER)
            assert registry.cache.get("configmaps", *addons.MADE) is not None
        async with serving(inner) as (registry, _):
            await addons.ensure(registry, ("dns",), "10.96.0.0/12", USER)
            assert (await registry.list("services", "kube-system")).items == []

    virtual.run(story())


def test_a_wrong_key_of_the_right_name_is_told_from_a_right_one():
    for cipher in (ciphers.AesGcm, ciphers.Secretbox):
        sealed = cipher(b"1" * 32).seal(b"plain", b"/registry/secrets/a")
        assert cipher(b"1" * 32).open(sealed, b"/registry/secrets/a") == b"plain"
        with pytest.raises(ciphers.Undecipherable):
            cipher(b"2" * 32).open(sealed, b"/registry/secrets/a")
        with pytest.raises(ciphers.Undecipherable):
            cipher(b"1" * 32).open(sealed[:-1] + bytes([sealed[-1] ^ 1]), b"/registry/secrets/a")
    sealed = ciphers.AesGcm(b"1" * 32).seal(b"plain", b"/registry/secrets/a")
    with pytest.raises(ciphers.Undecipherable):
        ciphers.AesGcm(b"1" * 32).open(sealed, b"/registry/secrets/b")


def test_a_key_that_comes_later_makes_readable_what_was_not():
    async def story():
        inner = MemoryStorage()
        async with serving(inner, config(keyed("aescbc", "gone"))) as (registry, _):
            await write(registry, Verb.CREATE, secret())
        async with serving(inner, config(keyed("aescbc", "another"))) as (registry, store):
            with pytest.raises(errors.InternalError):
                await read(registry)
            store.replace(config(keyed("aescbc", "another", "gone")))
            await registry.cache.retry()
            assert await read(registry) == SECRET
            assert len((await registry.list("secrets", "default")).items) == 1

    virtual.run(story())


def test_the_files_of_sqlite_hold_no_plain_text_of_a_secret(tmp_path):
    async def story():
        inner = SqliteStorage(tmp_path / "store.db")
        await inner.open()
        async with serving(inner, config(keyed("aesgcm", "k"))) as (registry, _):
            await write(registry, Verb.CREATE, secret())
            await write(registry, Verb.UPDATE, secret(text=SECRET + b"2"))
            plain = {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
                "data": {"here": "plain-canary"},
            }  # fmt: skip
            await write(registry, Verb.CREATE, plain, "configmaps")
            written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        await inner.close()
        written += b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"plain-canary" in written
        assert b"k8s:enc:aesgcm:v1:k:" in written
        assert base64.b64encode(SECRET)[:20] not in written
        assert SECRET not in written

    asyncio.run(story())
