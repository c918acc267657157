"""The validating webhook of ingress-nginx: what cannot be served is refused when it is written."""

import json
from collections.abc import Callable
from typing import Any

from cluster.api import json_text, objects
from cluster.runtime.emulated.web.messages import Headers, Request, Response

_MOST = 4 << 20


async def answer(request: Request, verdict: Callable[[objects.Object], str]) -> Response:
    """Answer an AdmissionReview. `verdict` says why an Ingress is refused, "" where it is not."""
    try:
        review: Any = json_text.decoded(await request.body(_MOST))
        asked = review["request"]
        uid, ingress = str(asked["uid"]), asked["object"]
        why = verdict(ingress) if isinstance(ingress, dict) else ""
    except (json_text.Malformed, KeyError, TypeError, AttributeError):
        return Response(400, Headers(), b"no review")
    made: dict[str, Any] = {"uid": uid, "allowed": not why}
    if why:
        made["status"] = {"status": "Failure", "message": why, "reason": "BadRequest", "code": 400}
    document = {"apiVersion": review.get("apiVersion", "admission.k8s.io/v1"),
                "kind": "AdmissionReview", "response": made}  # fmt: skip
    return Response(200, Headers([("Content-Type", "application/json")]),
                    json.dumps(document).encode())  # fmt: skip
