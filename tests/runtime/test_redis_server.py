"""redis-server and redis-cli in containers: what a user sees."""

import asyncio

import pytest
from dataworld import Box, World

from cluster.aio import tasks, virtual
from cluster.runtime.emulated.redis import images
from cluster.runtime.vos.kernel import Io

IMAGE = {name: image for image in images.IMAGES for name in image.names}
REDIS = IMAGE["library/redis"]


async def started(*args: str, world: World | None = None, **env: str) -> Box:
    box = (world or World()).box(REDIS, "7.2.5-alpine", **env)
    box.begin(*args)
    await box.logged("Ready to accept connections tcp")
    return box


ASKED = [
    ("ping", "PONG\n"),
    ("set greeting hello", "OK\n"),
    ("lpush l a b c", "3\n"),
    ("get nothing", "\n"),
    ("incr n", "1\n"),
    ("hset h f 1 g 2", "2\n"),
    ("--no-raw get nothing", "(nil)\n"),
    ("--no-raw incr n", "(integer) 1\n"),
    ("--no-raw lrange x 0 -1", "(empty array)\n"),
    ("--no-raw mget a b", "1) (nil)\n2) (nil)\n"),
    ("--no-raw set", "(error) ERR wrong number of arguments for 'set' command\n"),
    ("-n 3 -r 2 incr n", "1\n2\n"),
]


@pytest.mark.parametrize(("words", "shown"), ASKED)
def test_redis_cli_asks_and_shows(words: str, shown: str) -> None:
    async def main() -> None:
        box = await started()
        assert (await box.run("redis-cli", *words.split())).out == shown

    virtual.run(main())


def test_the_log_says_how_it_begins_and_ends() -> None:
    async def main() -> None:
        box = await started()
        assert await box.stop() == 0
        log = box.out.data.decode()
        assert "1:C 01 Jan 2026 00:00:00.000 * oO0OoO0OoO0Oo Redis is starting" in log
        assert "Redis version=7.2.5, " in log
        assert "1:M 01 Jan 2026" in log
        assert "# Received SIGTERM scheduling shutdown..." in log
        assert log.endswith("# Redis is now ready to exit, bye bye...\n")

    virtual.run(main())


def test_commands_come_from_stdin_and_errors_go_on() -> None:
    async def main() -> None:
        box = await started()
        found = await box.run("redis-cli", stdin=b'set k "a b"\nnonsense\nget k\n\nquit\nget k\n')
        said = "ERR unknown command 'nonsense', with args beginning with: "
        assert found.out == f"OK\n{said}\n\na b\n"

    virtual.run(main())


def test_who_does_not_know_the_password_is_refused() -> None:
    async def main() -> None:
        box = await started("--requirepass", "secret")
        assert (await box.run("redis-cli", "ping")).out == "NOAUTH Authentication required.\n\n"
        known = await box.run("redis-cli", "-a", "secret", "ping")
        assert (known.out, known.err[:8]) == ("PONG\n", "Warning:")
        other = await box.run("redis-cli", "-a", "wrong", "--no-auth-warning", "ping")
        assert other.err == (
            "AUTH failed: WRONGPASS invalid username-password pair or user is disabled.\n"
        )

    virtual.run(main())


def test_nobody_listens() -> None:
    async def main() -> None:
        box = World().box(REDIS)
        found = await box.run("redis-cli", "ping")
        assert (found.code, found.err) == (
            1,
            "Could not connect to Redis at 127.0.0.1:6379: Connection refused\n",
        )

    virtual.run(main())


def test_data_are_there_after_a_restart() -> None:
    async def main() -> None:
        world = World()
        box = await started(world=world)
        for words in ("set k v", "rpush l 1 2", "hset h f v", "zadd z 1.5 m", "sadd s a",
                      "set gone v ex 5", "set stays v ex 500"):  # fmt: skip
            await box.run("redis-cli", *words.split())
        assert await box.stop() == 0
        dump = box.kernel.files.read("/data/dump.rdb")
        again = world.box(REDIS)
        again.kernel.files.put("/data/dump.rdb", dump)
        await asyncio.sleep(6)
        again.begin()
        await again.logged("keys loaded: 6")
        found = await again.run("redis-cli", "mget", "k", "gone", "stays")
        assert found.out == "v\n\nv\n"
        assert (await again.run("redis-cli", "zscore", "z", "m")).out == "1.5\n"

    virtual.run(main())


def test_changes_are_saved_when_it_is_time() -> None:
    async def main() -> None:
        box = await started("--save", "60", "2")
        await box.run("redis-cli", "mset", "a", "1")
        await asyncio.sleep(100)
        assert not box.kernel.files.exists("/data/dump.rdb")
        await box.run("redis-cli", "set", "b", "1")
        await asyncio.sleep(100)
        assert box.kernel.files.exists("/data/dump.rdb")

    virtual.run(main())


def test_with_appendonly_little_is_lost_when_it_is_killed() -> None:
    async def main() -> None:
        box = await started("--appendonly", "yes")
        await box.run("redis-cli", "set", "a", "1")
        await asyncio.sleep(2)
        assert b"\x01a" in box.kernel.files.read("/data/dump.rdb")

    virtual.run(main())


def test_a_follower_has_what_its_leader_has_and_refuses_writes() -> None:
    async def main() -> None:
        world = World()
        leader = await started(world=world)
        await leader.run("redis-cli", "set", "before", "1")
        follower = world.box(REDIS)
        follower.begin("redis-server", "--slaveof", leader.address, "6379")
        await follower.logged("MASTER <-> REPLICA sync: Finished with success")
        for words in ("-n 2 rpush l a b c", "set after 2", "expire after 100", "spop nothing"):
            await leader.run("redis-cli", *words.split())
        assert (await follower.run("redis-cli", "mget", "before", "after")).out == "1\n2\n"
        assert (await follower.run("redis-cli", "-n", "2", "llen", "l")).out == "3\n"
        refused = await follower.run("redis-cli", "set", "x", "y")
        assert refused.out.startswith("READONLY You can't write against a read only replica.")
        info = (await leader.run("redis-cli", "info", "replication")).out
        assert "role:master" in info
        assert f"slave0:ip={follower.address},port=6379,state=online" in info
        assert (await follower.run("redis-cli", "role")).out.startswith("slave\n10.244.0.2\n6379\n")

    virtual.run(main())


def test_a_follower_waits_for_its_leader_and_comes_back() -> None:
    async def main() -> None:
        world = World()
        leader = world.box(REDIS)
        follower = world.box(REDIS)
        follower.begin("redis-server", "--replicaof", leader.address, "6379")
        await follower.logged("Error condition on socket for SYNC: Connection refused")
        leader.begin()
        await leader.logged("Ready to accept")
        await leader.run("redis-cli", "set", "k", "v")
        await follower.logged("Finished with success")
        assert (await follower.run("redis-cli", "get", "k")).out == "v\n"
        assert (await follower.run("redis-cli", "replicaof", "no", "one")).out == "OK\n"
        assert (await follower.run("redis-cli", "set", "k", "own")).out == "OK\n"

    virtual.run(main())


def test_who_waits_for_a_list_gets_what_another_pushes() -> None:
    async def main() -> None:
        box = await started()
        async with tasks.Group("clients") as group:
            waiting = group.spawn(box.run("redis-cli", "blpop", "jobs", "0"), "waiting")
            late = group.spawn(box.run("redis-cli", "--no-raw", "brpop", "none", "2"), "late")
            await asyncio.sleep(1)
            await box.run("redis-cli", "rpush", "jobs", "first", "second")
            assert (await waiting).out == "jobs\nfirst\n"
            found = await late
            assert found.out == "(nil)\n"
            assert 1.9 < found.seconds < 2.2
            assert (await box.run("redis-cli", "llen", "jobs")).out == "1\n"

    virtual.run(main())


def test_who_subscribed_hears_what_is_published() -> None:
    async def main() -> None:
        box = await started()
        listener = box.kernel.start(["sh", "-c", "redis-cli subscribe news > /heard"], Io())
        await asyncio.sleep(1)
        assert (await box.run("redis-cli", "publish", "news", "now")).out == "1\n"
        await asyncio.sleep(1)
        assert box.kernel.files.read("/heard") == b"subscribe\nnews\n1\nmessage\nnews\nnow\n"
        listener.signal(9)

    virtual.run(main())


BAD = [
    (("redis-server", "--nonsense", "1"), "Bad directive or wrong number of arguments"),
    (("redis-server", "--port", "x"), "argument couldn't be parsed into an integer"),
    (("redis-server", "/no.conf"), "can't open config file '/no.conf': No such file or directory"),
    (("redis-server", "--maxmemory", "much"), "argument must be a memory value"),
]


@pytest.mark.parametrize(("argv", "said"), BAD)
def test_a_bad_setting_ends_it(argv: tuple[str, ...], said: str) -> None:
    async def main() -> None:
        box = World().box(REDIS)
        assert await box.begin(*argv).wait() == 1
        text = box.err.data.decode()
        assert "*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***" in text
        assert said in text

    virtual.run(main())


def test_a_config_map_configures_it() -> None:
    async def main() -> None:
        box = World().box(REDIS)
        text = b'maxmemory 2mb\nmaxmemory-policy allkeys-lru\n# a comment\nsave ""\n'
        box.kernel.files.make_folders("/redis-master")
        box.kernel.files.put("/redis-master/redis.conf", text)
        box.begin("redis-server", "/redis-master/redis.conf")
        await box.logged("Ready to accept")
        found = await box.run("redis-cli", "config", "get", "maxmemory*")
        assert found.out.splitlines()[:4] == [
            "maxmemory", "2097152", "maxmemory-policy", "allkeys-lru",
        ]  # fmt: skip
        for number in range(40):
            await box.run("redis-cli", "setrange", f"k{number}", "60000", "x")
        size = int((await box.run("redis-cli", "dbsize")).out)
        assert 10 < size < 25
        assert (await box.run("redis-cli", "exists", "k0", "k39")).out == "1\n"

    virtual.run(main())


def test_bitnami_wants_a_password() -> None:
    async def main() -> None:
        image = IMAGE["bitnami/redis"]
        box = World().box(image)
        assert await box.begin().wait() == 1
        assert "REDIS_PASSWORD environment variable is empty" in box.err.data.decode()
        good = World().box(image, REDIS_PASSWORD="pass")
        good.begin()
        await good.logged("Ready to accept")
        found = await good.run("redis-cli", "-a", "pass", "--no-auth-warning", "ping")
        assert found.out == "PONG\n"

    virtual.run(main())
