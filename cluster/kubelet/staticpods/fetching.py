"""Fetches a manifest from a URL. Imported only where one is configured."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import aiohttp

from cluster.kubelet.staticpods.manifests import LARGEST

_SECONDS: Final = 10.0


def fetcher(url: str, headers: Mapping[str, str]) -> Callable[[], Awaitable[bytes]]:
    """A function that gives what is at `url`. It raises OSError."""

    async def fetch() -> bytes:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=timeout, auto_decompress=False, headers={"Accept-Encoding": "identity"}
                ) as session,
                session.get(url, headers=dict(headers)) as answer,
            ):
                if answer.status != 200:
                    raise OSError(f"{url}: {answer.status} {answer.reason}")
                return await _bounded(answer, url)
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise OSError(f"{url}: {error or 'it did not answer in time'}") from error

    return fetch


async def _bounded(answer: aiohttp.ClientResponse, url: str) -> bytes:
    found = bytearray()
    async for part in answer.content.iter_chunked(1 << 16):
        found += part
        if len(found) > LARGEST:
            raise OSError(f"{url} is larger than {LARGEST >> 20} MiB")
    return bytes(found)
