"""A file of keys that changes while the server runs."""

import structlog
from test_encryption_at_rest import config, keyed

from cluster.aio import virtual
from cluster.apiserver.encryption import configuration
from cluster.apiserver.encryption.following import Following
from cluster.apiserver.encryption.store import Encrypted
from cluster.storage.interface import Change
from cluster.storage.memory import MemoryStorage


class File:
    """What the file says now; an exception is raised."""

    def __init__(self, said):
        self.said = said

    def read(self):
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def document(*names):
    return {
        "apiVersion": configuration.API_VERSION,
        "kind": configuration.KIND,
        "resources": [{"resources": ["secrets"], "providers": [keyed("aescbc", *names)]}],
    }


def test_a_new_file_counts_and_a_broken_one_changes_nothing_and_is_told_once():
    async def story():
        inner, file, told = MemoryStorage(), File(document("a")), []
        store = Encrypted(inner, config(keyed("aescbc", "a")))

        async def changed():
            told.append("changed")

        following = Following(store, file.read, changed, structlog.get_logger())

        async def prefix(number):
            key = f"/registry/secrets/default/{number}"
            await store.write([Change(key, b"{}", 0)])
            return (await inner.get(key)).value.split(b":")[4]

        following._seen = following._digest()
        await following.look()
        assert (await prefix(1), told) == (b"a", [])
        file.said = document("b", "a")
        await following.look()
        assert (await prefix(2), told) == (b"b", ["changed"])
        for broken in (OSError("gone"), {"kind": "Pod"}, {"kind": "Pod"}):
            file.said = broken
            await following.look()
        assert (await prefix(3), told) == (b"b", ["changed"])
        assert following.counts == {"success": 1, "failure": 2}

    virtual.run(story())
