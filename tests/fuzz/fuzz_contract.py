"""schemathesis on the server's own OpenAPI v3 documents: requests that they allow, and not."""

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import schemathesis
import yaml
from fuzz_server import ADMIN
from fuzz_wire import Connection, Request
from fuzz_world import NAMES, NAMESPACES
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

CALM = settings(
    phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def operations(admin: Connection) -> list[Any]:
    """All operations that the server says it has."""
    found = []
    for path in sorted(admin.get("/openapi/v3").json()["paths"]):
        document = admin.get(f"/openapi/v3/{path}").json()
        schema = schemathesis.openapi.from_dict(document)
        # A document that schemathesis cannot read is a fault, and raises here.
        found += [result.ok() for result in schema.get_all_operations()]
    return found


def requests(admin: Connection, count: int, start: int) -> Iterator[Request]:
    """`count` requests of operations in an order that `start` decides; a fault in a document
    raises."""
    draw = random.Random(start)
    pool = operations(admin)
    draw.shuffle(pool)
    made = 0
    while made < count:
        for operation in pool:
            mode = draw.choice(list(GenerationMode))
            for case in _cases(operation, mode, draw.randrange(1 << 30), 2):
                yield _request(case, draw)
                made += 1
                if made >= count:
                    return


def _cases(operation: Any, mode: GenerationMode, number: int, count: int) -> list[Any]:
    found: list[Any] = []

    @seed(number)
    @settings(CALM, max_examples=count)
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        found.append(case)

    collect()
    return found


def _request(case: Any, draw: random.Random) -> Request:
    values = dict(case.path_parameters or {})
    for name, real in (("namespace", NAMESPACES), ("name", NAMES)):
        if name in values and draw.random() < 0.8:
            values[name] = draw.choice(real)
    path = case.path
    for name, value in values.items():
        text = quote(str(value), safe="%", errors="surrogatepass")
        path = path.replace(f"{{{name}}}", text)
    pairs = [(name, _text(value)) for name, value in (case.query or {}).items()]
    query = urlencode(pairs, errors="surrogatepass")
    about = "schemathesis"
    method = case.method.upper()
    if method == "DELETE" and draw.random() < 0.8:
        query = f"dryRun=All&{query}" if query else "dryRun=All"
    headers: tuple[tuple[str, str], ...] = (("Authorization", f"Bearer {ADMIN}"),)
    body = b""
    if case.media_type is not None:
        headers += (("Content-Type", case.media_type),)
        body = _body(case)
    return Request(method, f"{path}?{query}" if query else path, headers, body, about)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _body(case: Any) -> bytes:
    given_ = case.body
    if type(given_).__name__ == "NotSet":
        return b""
    if isinstance(given_, bytes):
        return given_
    if "yaml" in case.media_type:
        return yaml.safe_dump(given_, allow_unicode=True).encode("utf-8", "surrogatepass")
    return json.dumps(given_).encode()
