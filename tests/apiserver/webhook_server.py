"""A real webhook: a TLS server on loopback that answers AdmissionReviews by functions, by path."""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from cluster.aio import clock
from cluster.launcher import pki

NOW = clock.SystemClock().now()
AUTHORITY = pki.Authority.create(NOW)
BUNDLE = base64.b64encode(AUTHORITY.pem).decode()
STRANGE = base64.b64encode(pki.Authority.create(NOW).pem).decode()
Hook = Callable[[dict[str, Any]], dict[str, Any]]


@contextlib.asynccontextmanager
async def serving(folder: Path, **hooks: Hook) -> AsyncIterator[int]:
    """Its port. `hooks[path](request)` gives the response, without its uid."""
    pair = AUTHORITY.serving("hook", ["hook.default.svc", "localhost", "127.0.0.1"], NOW)
    (folder / "hook.crt").write_bytes(pair.certificate)
    (folder / "hook.key").write_bytes(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "hook.crt", folder / "hook.key")

    async def answer(http: web.BaseRequest) -> web.StreamResponse:
        review = json.loads(await http.read())
        assert http.headers["Content-Type"] == "application/json"
        assert http.query["timeout"].endswith("s")
        name = http.path.strip("/")
        if name == "slow":
            await asyncio.sleep(30)
        response = {"uid": review["request"]["uid"]} | hooks[name](review["request"])
        body = {"apiVersion": review["apiVersion"], "kind": "AdmissionReview"}
        return web.json_response(body | {"response": response})

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def patch(*steps: Any) -> dict[str, Any]:
    """The response that lets an object pass, changed."""
    encoded = base64.b64encode(json.dumps(steps).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}
