"""What is served beside the API: metrics, and what others need to verify service account tokens."""

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web

from cluster.apiserver.authn.serviceaccounts import Settings
from cluster.apiserver.rest import negotiation

Page = Callable[[web.BaseRequest], web.Response]

METRICS = "/metrics"
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"
_PUBLIC = {"Cache-Control": "public, max-age=3600"}


def openid(settings: Settings, jwks_uri: str) -> Mapping[str, Page]:
    """The pages of OpenID Connect discovery (RFC 8414, RFC 7517); none without keys.

    `jwks_uri` is where the keys are found; the issuer's own address where it is one.
    """
    keys = settings.all_keys
    issuer = settings.issuers[0]
    if not keys or not issuer.startswith("https://"):
        return {}
    discovery = {
        "issuer": issuer,
        "jwks_uri": jwks_uri or f"{issuer.rstrip('/')}{KEYS}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": sorted({key.algorithm for key in keys}),
    }
    published = {"keys": [key.jwk() for key in keys]}
    return {
        DISCOVERY: _fixed(discovery, negotiation.JSON),
        KEYS: _fixed(published, "application/jwk-set+json"),
    }


def _fixed(document: object, media: str) -> Page:
    body = msgspec.json.encode(document)

    def page(_http: web.BaseRequest) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": media} | _PUBLIC)

    return page
