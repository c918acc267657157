"""The PHP front end of the Kubernetes guestbook tutorial: a page, and redis behind it.

It speaks to redis over the pod's network, by the names that the tutorial's Services have.
"""

import asyncio
import html
import json
from typing import Final

from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import names, running
from cluster.runtime.emulated.web.messages import Headers, Request, Response, text
from cluster.runtime.vos.kernel import Call, encoded
from cluster.runtime.vos.sockets import Stream

_PORT: Final = 6379
_DEADLINE: Final = 10.0
_LARGEST: Final = 1 << 20
_SERVER: Final = "Apache/2.4.57 (Debian) PHP/8.2"
_PAGE: Final = """<!DOCTYPE html>
<html>
<head><title>Guestbook</title></head>
<body>
<h1>Guestbook</h1>
<form id="form"><input id="entry" placeholder="Messages"><button>Submit</button></form>
<div id="entries"></div>
<script>
const list = document.getElementById("entries");
let entries = [];
function show(text) {
  entries = text.split(",").filter(Boolean);
  list.textContent = "";
  for (const entry of entries) list.appendChild(document.createElement("p")).textContent = entry;
}
function ask(query) { return fetch("guestbook.php?" + query).then(answer => answer.json()); }
document.getElementById("form").addEventListener("submit", event => {
  event.preventDefault();
  const entry = document.getElementById("entry");
  const text = [...entries, entry.value].join(",");
  entry.value = "";
  ask("cmd=set&key=guestbook&value=" + encodeURIComponent(text)).then(() => show(text));
});
ask("cmd=get&key=guestbook").then(answer => show(answer.data));
</script>
</body>
</html>
"""


class _Failed(Exception):
    """Redis did not answer; the message is what Predis says."""


def _command(*words: str) -> bytes:
    """A command in RESP."""
    made = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = encoded(word)
        made.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(made)


async def _reply(stream: Stream) -> bytes:
    """A simple string or a bulk string. _Failed, OSError."""
    data = b""
    while True:
        head, end, rest = data.partition(b"\r\n")
        if end:
            if head[:1] in (b"+", b":"):
                return head[1:]
            if head[:1] == b"-":
                raise _Failed(head[1:].decode(errors="replace"))
            size = head[1:]
            if head[:1] != b"$" or not size.lstrip(b"-").isdigit() or int(size) > _LARGEST:
                raise _Failed("Unknown response prefix")
            if int(size) < 0:
                return b""
            if len(rest) >= int(size) + 2:
                return rest[: int(size)]
        more = await stream.receive()
        if not more or len(data) > _LARGEST + 64:
            raise _Failed("Error while reading line from the server.")
        data += more


class _Frontend:
    """Answers requests."""

    def __init__(self, call: Call) -> None:
        self._call = call
        tag = call.kernel.image_tag
        old = tag in ("v1", "v2", "v3", "v4")
        self._writer = "redis-master" if old else "redis-leader"
        self._reader = "redis-slave" if old else "redis-follower"

    async def __call__(self, request: Request) -> Response:
        """Answer one."""
        response = await self._answer(request)
        size = len(response.body) if isinstance(response.body, bytes) else 0
        await self._call.out(
            f'{request.peer.address} - - "{request.line}" {response.status} {size}\n'
        )
        return response

    async def _answer(self, request: Request) -> Response:
        if request.path in ("/", "/index.html"):
            return text(_PAGE, kind="text/html; charset=UTF-8")
        if request.path != "/guestbook.php":
            shown = html.escape(request.path)
            return text(f"<h1>Not Found</h1><p>{shown} was not found on this server.</p>\n", 404,
                        kind="text/html; charset=iso-8859-1")  # fmt: skip
        given = request.parameters()
        key, value = given.get("key", ""), given.get("value", "")
        try:
            if given.get("cmd") == "set":
                await self._ask(self._writer, "SET", key, value)
                return _json({"message": "Updated"})
            if "cmd" in given:
                found = await self._ask(self._reader, "GET", key)
                return _json({"data": found.decode(errors="replace")})
        except _Failed as failed:
            await self._call.io.stderr.write(encoded(f"PHP Fatal error:  Uncaught {failed}\n"))
            return text(f"{failed}\n", 500)
        return text("PHP", kind="text/html; charset=UTF-8")

    def _host(self, name: str) -> str:
        if self._call.env.get("GET_HOSTS_FROM") != "env":
            return name
        variable = name.upper().replace("-", "_") + "_SERVICE_HOST"
        return self._call.env.get(variable, name)

    async def _ask(self, name: str, *words: str) -> bytes:
        """What redis answers. _Failed."""
        where = f"[tcp://{self._host(name)}:{_PORT}]"
        try:
            async with asyncio.timeout(_DEADLINE):
                stream = await names.connected(self._call, self._host(name), _PORT)
                try:
                    await stream.send(_command(*words))
                    return await _reply(stream)
                finally:
                    stream.close()
        except names.Unknown as unknown:
            why = "Temporary failure in name resolution" if unknown.again else (
                "Name or service not known")  # fmt: skip
            raise _Failed(
                f"php_network_getaddresses: getaddrinfo for {self._host(name)} failed: {why} "
                f"{where}"
            ) from unknown
        except TimeoutError as late:
            raise _Failed(f"Connection timed out {where}") from late
        except OSError as error:
            raise _Failed(f"{error.strerror} {where}") from error


def _json(value: object) -> Response:
    data = json.dumps(value, separators=(", ", ": ")).encode()
    return Response(200, Headers([("Content-Type", "application/json")]), data)


@server(stop_code=0)
async def apache2_foreground(call: Call) -> int:
    """`apache2-foreground`, with the guestbook's pages."""
    return await running.run(call, {80: _Frontend(call)}, _SERVER)


IMAGES: Final = (
    Image(
        names=("google-samples/gb-frontend", "google_samples/gb-frontend",
               "google-samples/containers/gke/gb-frontend"),
        cmd=("apache2-foreground",),
        working_dir="/var/www/html",
        ports=(80,),
        stop_signal="SIGWINCH",
        files={"/var/www/html/index.html": _PAGE},
        programs={"apache2-foreground": apache2_foreground},
    ),
)  # fmt: skip
