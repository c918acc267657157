"""How keys of the store are named in etcd: `/registry/pods/default/web` under any prefix. Pure."""

_OURS = "/registry/"
COMPACTED = b"compact_rev_key"
"""kube-apiserver's own key: its value is the revision that is compacted, its version the turn."""
CLOCK = b"kubemu_clock"
"""Its value is `revision seconds`: so its history tells when revisions were made."""
FILLER = b"kubemu_filler"
"""Written for the revisions that it takes, after a restore."""
ALL = b"\0"
"""As key and range_end: every key there is."""


class Keys:
    """Names under one prefix (`/registry`: as they are)."""

    def __init__(self, prefix: str) -> None:
        inner = prefix.strip("/")
        self._theirs = f"/{inner}/" if inner else "/"
        self._start = self._theirs.encode()

    def named(self, key: str) -> bytes:
        """etcd's name of a key. ValueError for one that is not under /registry/."""
        if not key.startswith(_OURS):
            raise ValueError(f"{key!r} is no key of this store: they start with {_OURS}")
        return (self._theirs + key[len(_OURS) :]).encode()

    def known(self, name: bytes) -> str | None:
        """The key of a name in etcd; None where it is not ours."""
        if not name.startswith(self._start):
            return None
        try:
            return _OURS + name[len(self._start) :].decode()
        except UnicodeDecodeError:
            return None

    def span(self, prefix: str, after: str = "") -> tuple[bytes, bytes]:
        """`key` and `range_end` of the names under `prefix` that sort after `after`.

        A prefix above `/registry/` (`/`) means all keys of the store.
        """
        start = self._start if _OURS.startswith(prefix) else self.named(prefix)
        end = prefix_end(start)
        if after and after >= prefix:
            start = max(start, self.named(after) + b"\0")
        return start, end


def prefix_end(prefix: bytes) -> bytes:
    """The first name after all that start with `prefix`."""
    for at in range(len(prefix) - 1, -1, -1):
        if prefix[at] < 0xFF:
            return prefix[:at] + bytes([prefix[at] + 1])
    return ALL
