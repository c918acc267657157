"""One registry over HTTP: requests with authorization, retries, deadlines, and bounded answers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from cluster.api import imagereferences, json_text
from cluster.images import faults
from cluster.images.client import challenge, garbled, reach, urls
from cluster.images.client.credentials import Credentials

_HUB: Final = "registry-1.docker.io"
_ATTEMPTS: Final = 3
_FIRST_DELAY: Final = 0.2
_LONGEST_DELAY: Final = 10.0
_MAX_ERROR: Final = 64 << 10
_MAX_TOKEN: Final = 1 << 20
LEAST: Final = 1024
"""Bytes: a registry that drips slower than that is no better than one that hangs."""


class Unreachable(faults.Fault):
    """No answer could be had from the registry. `final`: nor will there soon be one."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Denied(faults.Fault):
    """The registry wants other credentials, or any."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How long to wait, in seconds: for a connection, for an answer or more of it, for as much of
    it as counts as progress.
    """

    connect: float = 10.0
    idle: float = 30.0
    progress: float = 60.0
    """In this time at least LEAST bytes of a body have to come, as long as it lasts."""
    plain: tuple[str, ...] = ()
    """Registries that speak HTTP; those on this machine do so anyway."""
    authority: str = ""
    """A PEM file with the CA that signs registries' certificates."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    scope: str
    headers: dict[str, str]
    data: Any


@dataclass(eq=False)
class Remote:
    """The registry at `host`. Use `opened` to get one."""

    host: str
    session: aiohttp.ClientSession
    settings: Settings
    credentials: Credentials | None
    _authorization: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The URL that paths begin with."""
        real = _HUB if self.host == imagereferences.DEFAULT_HOST else self.host
        return f"{'http' if self._is_plain() else 'https'}://{real}"

    @asynccontextmanager
    async def ask(
        self, method: str, path: str, *, scope: str, headers: Mapping[str, str] | None = None,
        data: Any = None, again: bool = True, repeatable: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:  # fmt: skip
        """An answer that is neither a challenge nor (`again`) a passing failure.

        `repeatable`: whether `data` can be sent twice. Unreachable, Denied.
        """
        try:
            url = urls.joined(f"{self.base}/", path)
        except urls.Wrong as error:
            # What is a path of this program's own is never wrong: a registry sent it.
            asked = garbled.quoted(path.encode("utf-8", "replace"))
            why = f"failed to do request: {method.capitalize()} {asked}: {error}"
            raise Unreachable(why, final=True) from error
        attempts = _ATTEMPTS if again and repeatable else 1
        request = _Request(method, url, scope, dict(headers or {}), data)
        answer = await self._answer(request, attempts)
        try:
            yield answer
        finally:
            answer.close()

    async def _answer(self, request: "_Request", attempts: int) -> aiohttp.ClientResponse:
        delay, challenged = _FIRST_DELAY, False
        while True:
            attempts -= 1
            sent = request.headers | self._authorized(request.url, request.scope)
            try:
                answer = await self._send(request.method, request.url, sent, request.data)
            except Unreachable as error:
                if attempts <= 0 or error.final:
                    raise
            else:
                if answer.status == 401 and challenged:
                    raise self._denied(answer)
                if answer.status == 401:
                    # Credentials are looked for once; that does not count as an attempt.
                    challenged, attempts = True, attempts + 1
                    said = answer.headers.getall("WWW-Authenticate", [])
                    answer.close()
                    await self._authorize(said, request.scope, request.url)
                    continue
                passing = answer.status == 429 or answer.status >= 500
                if not passing or attempts <= 0:
                    return answer
                delay = max(delay, _retry_after(answer))
                answer.close()
            await asyncio.sleep(min(delay, _LONGEST_DELAY))
            delay *= 4

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], data: Any
    ) -> aiohttp.ClientResponse:
        verb, seconds = method.capitalize(), self.settings.idle + self.settings.connect
        try:
            async with asyncio.timeout(seconds) as deadline:
                if isinstance(data, AsyncIterator):
                    data = _prolonging(data, deadline, seconds)
                return await self.session.request(
                    method, URL(url, encoded=True), headers=headers, data=data, max_redirects=5,
                    skip_auto_headers=("Content-Type",),
                )  # fmt: skip
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # Nobody listens there, or the name is unknown: asking at once again is of no use.
            final = isinstance(error, aiohttp.ClientConnectorError | TimeoutError)
            why = f'failed to do request: {verb} "{url}": {_why(error, self)}'
            raise Unreachable(why, final=final) from error

    def _authorized(self, url: str, scope: str) -> dict[str, str]:
        # Uploads may go elsewhere: what proves who we are is for the registry alone.
        if urlsplit(url).netloc != urlsplit(self.base).netloc:
            return {}
        found = self._authorization.get(scope) or self._authorization.get("")
        return {"Authorization": found} if found else {}

    async def _authorize(self, said: list[str], scope: str, url: str) -> None:
        challenges = [one for header in said for one in challenge.parse(header)]
        by_scheme = {one.scheme: one for one in reversed(challenges)}
        if "bearer" in by_scheme:
            token = await self._token(by_scheme["bearer"].parameters, scope)
            self._authorization[scope] = f"Bearer {token}"
        elif "basic" in by_scheme and self.credentials is not None:
            self._authorization[""] = self.credentials.basic
        elif "basic" in by_scheme:
            raise Denied(
                "pull access denied, repository does not exist or may require authorization: "
                "authorization failed: no basic auth credentials"
            )
        else:
            raise Denied(f"unexpected status from request to {url}: 401 Unauthorized")

    async def _token(self, parameters: Mapping[str, str], scope: str) -> str:
        realm = URL(parameters.get("realm", ""))
        if realm.scheme not in ("http", "https") or not realm.host:
            raise Denied(
                f"failed to authorize: invalid realm {str(realm)[:200]!r} in the challenge"
            )
        if realm.scheme == "http" and self.base.startswith("https"):
            raise Denied(f"failed to authorize: {realm.host} would be sent a password unprotected")
        query = {"service": parameters.get("service", ""), "scope": scope}
        url = str(realm.update_query({key: value for key, value in query.items() if value}))
        headers = {"Authorization": self.credentials.basic} if self.credentials else {}
        answer = await self._send("GET", url, headers, None)
        try:
            kind = "oauth token" if self.credentials else "anonymous token"
            if answer.status != 200:
                raise Denied(
                    f"failed to authorize: failed to fetch {kind}: unexpected status from GET "
                    f"request to {url}: {answer.status} {answer.reason}"
                )
            document = json_text.decoded(await bounded(answer, _MAX_TOKEN, self))
            token = document.get("token") or document.get("access_token")
            if not isinstance(token, str) or "\n" in token or "\r" in token:
                raise Denied(f"failed to authorize: failed to fetch {kind}: no token in it")
            return token
        except (json_text.Malformed, AttributeError) as error:
            raise Denied(f"failed to authorize: {url} gave no token: {error}") from error
        finally:
            answer.close()

    @staticmethod
    def _denied(answer: aiohttp.ClientResponse) -> Denied:
        answer.close()
        said = answer.headers.get("WWW-Authenticate", "")
        server = "server message: insufficient_scope: " if "insufficient_scope" in said else ""
        return Denied(
            "pull access denied, repository does not exist or may require authorization: "
            f"{server}authorization failed"
        )

    def _is_plain(self) -> bool:
        return self.host in self.settings.plain or is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a registry is on this machine: those speak HTTP unless somebody says otherwise."""
    name = host.rpartition(":")[0] if ":" in host else host
    return name == "localhost" or name.startswith("127.") or name == "[::1]"


@asynccontextmanager
async def opened(
    host: str, credentials: Credentials | None = None, settings: Settings | None = None
) -> AsyncIterator[Remote]:
    """The registry at `host` for as long as the block lasts."""
    settings = settings or Settings()
    timeout = aiohttp.ClientTimeout(
        total=None, connect=settings.connect, sock_read=settings.idle, sock_connect=settings.connect
    )
    ssl: Any = True
    if settings.authority:
        import ssl as tls

        ssl = tls.create_default_context(cafile=settings.authority)
    connector = aiohttp.TCPConnector(limit=8, ssl=ssl, socket_factory=reach.Reach(host).socket)
    async with aiohttp.ClientSession(
        timeout=timeout, connector=connector, auto_decompress=False,
        headers={"User-Agent": "kubemu", "Accept-Encoding": "identity"},
    ) as session:  # fmt: skip
        yield Remote(host, session, settings, credentials)


async def _prolonging(
    data: AsyncIterator[bytes], deadline: asyncio.Timeout, seconds: float
) -> AsyncIterator[bytes]:
    """A body that is sent: with each piece that is taken there is as much time again."""
    loop = asyncio.get_running_loop()
    async for piece in data:
        yield piece
        with suppress(RuntimeError):  # it was answered before its end
            deadline.reschedule(loop.time() + seconds)


async def bounded(answer: aiohttp.ClientResponse, limit: int, remote: Remote) -> bytes:
    """The whole body, of at most `limit` bytes. faults.Corrupt, Unreachable."""
    data = bytearray()
    async for chunk in body(answer, remote):
        data += chunk
        if len(data) > limit:
            raise faults.Corrupt(f"{answer.url} sends more than {limit} bytes")
    return bytes(data)


async def body(answer: aiohttp.ClientResponse, remote: Remote) -> AsyncIterator[bytes]:
    """The body as it comes. Unreachable where it does not go on, or drips."""
    loop, window = asyncio.get_running_loop(), remote.settings.progress
    since, came = loop.time(), 0
    while True:
        try:
            data = await answer.content.read(256 << 10)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(
                f'failed to copy: Get "{answer.url}": {_why(error, remote)}'
            ) from error
        if not data:
            return
        came += len(data)
        if loop.time() - since >= window:
            if came < LEAST:
                slow = f"{remote.host} sent {came} bytes in {window:g} s"
                why = f'failed to copy: Get "{answer.url}": context deadline exceeded ({slow})'
                raise Unreachable(why, final=True)
            since, came = loop.time(), 0
        yield data


async def complaint(answer: aiohttp.ClientResponse, remote: Remote) -> str:
    """What an answer that refuses says: `404 Not Found: manifest unknown`."""
    said = f"{answer.status} {answer.reason or ''}".strip()
    try:
        document = json_text.decoded(await bounded(answer, _MAX_ERROR, remote))
        first = document["errors"][0]
        return f"{said}: {first['code']}: {first.get('message', '')}"[:1000]
    except (faults.Fault, json_text.Malformed, LookupError, TypeError, AttributeError):
        return said


def _why(error: BaseException, remote: Remote) -> str:
    """In the words of Go's HTTP client."""
    settings = remote.settings
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"tls: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"dial tcp {_address(error)}: {_unconnected(error.os_error)}"
    if isinstance(error, aiohttp.ServerTimeoutError) and "connect" in str(error).lower():
        return (
            f"dial tcp: i/o timeout ({remote.host} takes no connection for {settings.connect:g} s)"
        )
    if isinstance(error, TimeoutError):
        return f"context deadline exceeded ({remote.host} sends nothing for {settings.idle:g} s)"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        cause = error.__cause__ or error.__context__
        message = getattr(cause, "message", "") if isinstance(cause, HttpProcessingError) else ""
        return garbled.words(message) if "chunk" in message else "unexpected EOF"
    if isinstance(error, aiohttp.TooManyRedirects):
        return "stopped after 5 redirects"
    if isinstance(error, aiohttp.ClientResponseError):
        return garbled.words(error.message)
    return str(error) or type(error).__name__


def _unconnected(error: OSError) -> str:
    if isinstance(error, reach.Forbidden):
        return str(error.strerror)
    refused = isinstance(error, ConnectionRefusedError)
    what = "connection refused" if refused else str(error.strerror or error)
    return f"connect: {what.lower()}"


def _address(error: aiohttp.ClientConnectorError) -> str:
    host = "127.0.0.1" if error.host == "localhost" else error.host
    return f"{host}:{error.port}"


def _retry_after(answer: aiohttp.ClientResponse) -> float:
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() and len(said) < 6 else 0.0
