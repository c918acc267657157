"""Who may ask nginx: allow and deny, passwords, the size of a request's body."""

import base64
import hashlib
import hmac
import ipaddress

from cluster.runtime.emulated.nginx.exchange import Exchange, Fault, credentials
from cluster.runtime.emulated.nginx.logs import Logs
from cluster.runtime.emulated.nginx.model import Settings
from cluster.runtime.vos.files import FileSystem


class Gate:
    """Lets requests in."""

    def __init__(self, files: FileSystem, logs: Logs) -> None:
        self._files = files
        self._logs = logs

    async def admit(self, exchange: Exchange) -> None:
        """`allow`, `deny`, `auth_basic`, the size of the body. Fault."""
        settings, request = exchange.settings, exchange.request
        length = request.headers.get("content-length")
        if settings.max_body and length.isdigit() and int(length) > settings.max_body:
            await self._logs.error(
                "error", f"client intended to send too large body: {length} bytes", exchange
            )
            raise Fault(413)
        denied = _denied(settings, request.peer.address)
        realm = settings.realm.of(exchange.look) if settings.realm is not None else ""
        if settings.satisfy_any and realm:
            if settings.access and not denied:
                return
        elif denied:
            await self._logs.error("error", "access forbidden by rule", exchange)
            raise Fault(403)
        if realm:
            await self._authenticate(exchange, realm)

    async def _authenticate(self, exchange: Exchange, realm: str) -> None:
        given = credentials(exchange.request.headers)
        refusal = Fault(401, [("WWW-Authenticate", f'Basic realm="{realm}"')])
        word = exchange.settings.passwords
        if given is None or word is None:
            raise refusal
        path = word.of(exchange.look)
        path = path if path.startswith("/") else f"/etc/nginx/{path}"
        try:
            lines = self._files.read(path).decode("utf-8", "surrogateescape").splitlines()
        except OSError as error:
            await self._logs.error(
                "error", f'open() "{path}" failed ({error.errno}: {error.strerror})', exchange
            )
            raise Fault(403) from error
        for line in lines:
            name, _, hashed = line.partition(":")
            if name == given[0]:
                verdict = password_fits(hashed.partition(":")[0], given[1])
                if verdict is None:
                    await self._logs.error(
                        "crit", f'the hash of "{name}" is of a kind that is not built', exchange
                    )
                    raise Fault(500)
                if verdict:
                    return
                await self._logs.error("error", f'user "{name}": password mismatch', exchange)
                raise refusal
        await self._logs.error("error", f'user "{given[0]}" was not found in "{path}"', exchange)
        raise refusal


def _denied(settings: Settings, client: str) -> bool:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return bool(settings.access)
    for allowed, network in settings.access:
        if network is None or (network.version == address.version and address in network):
            return not allowed
    return False


def password_fits(hashed: str, password: str) -> bool | None:
    """Whether a password is that of a line of a password file; None for an unknown hash."""
    data = password.encode("utf-8", "surrogateescape")
    if hashed.startswith("{PLAIN}"):
        return hmac.compare_digest(hashed[7:].encode("utf-8", "surrogateescape"), data)
    if hashed.startswith("{SHA}"):
        digest = hashlib.sha1(data, usedforsecurity=False).digest()
        return hmac.compare_digest(hashed[5:].encode(), base64.b64encode(digest))
    if hashed.startswith("$apr1$"):
        from cluster.runtime.emulated.web.apr1 import apr1

        salt = hashed.split("$")[2]
        return hmac.compare_digest(hashed.encode(), apr1(data, salt.encode()).encode())
    return None
