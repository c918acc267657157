"""Uploads under way: bounded in number, each with one writer at a time, forgotten when nobody goes
on with them.
"""

import asyncio
import random
from dataclasses import dataclass, field

from cluster.images.registry.errors import Refused
from cluster.images.store.blobs import Blobs, Writer


@dataclass(slots=True, eq=False)
class Upload:
    """One upload to a repository."""

    id: str
    repository: str
    writer: Writer
    touched: float
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def range(self) -> str:
        """What is here, as the header Range of the specification says it."""
        return f"0-{max(self.writer.size - 1, 0)}"


class Uploads:
    """All of them. `expiry` is in seconds of the loop's time."""

    def __init__(self, blobs: Blobs, rng: random.Random, most: int, expiry: float) -> None:
        self._blobs = blobs
        self._random = rng
        self._most = most
        self._expiry = expiry
        self._open: dict[str, Upload] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, repository: str) -> Upload:
        """A new upload. Refused TOOMANYREQUESTS."""
        self.expire()
        if len(self._open) >= self._most:
            raise Refused(
                "TOOMANYREQUESTS", f"{self._most} uploads are under way already",
                headers={"Retry-After": "5"},
            )  # fmt: skip
        key = f"{self._random.getrandbits(128):032x}"
        upload = Upload(key, repository, self._blobs.writer(), self._now())
        self._open[key] = upload
        return upload

    def find(self, repository: str, id: str) -> Upload:
        """The upload of this id. Refused BLOB_UPLOAD_UNKNOWN."""
        found = self._open.get(id)
        if found is None or found.repository != repository:
            raise Refused("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        found.touched = self._now()
        return found

    def touch(self, upload: Upload) -> None:
        """Somebody goes on with it."""
        upload.touched = self._now()

    def end(self, upload: Upload) -> None:
        """Forget it, with what was written unless that is a blob by now."""
        self._open.pop(upload.id, None)
        upload.writer.close()

    def expire(self) -> None:
        """Forget those that nobody has gone on with."""
        before = self._now() - self._expiry
        for upload in list(self._open.values()):
            if upload.touched <= before and not upload.busy.locked():
                self.end(upload)

    def close(self) -> None:
        """Forget all."""
        for upload in list(self._open.values()):
            self.end(upload)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
