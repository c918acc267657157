"""A registry whose webhooks are Python functions, on virtual time."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from random import Random

import registry_world as rw

from cluster.apiserver.admission import defaults
from cluster.apiserver.admission.webhooks.asking import Asking
from cluster.apiserver.outbound.protocol import Answer, Unreachable

GROUP = "admissionregistration.k8s.io"
MUTATING = f"mutatingwebhookconfigurations.{GROUP}"
VALIDATING = f"validatingwebhookconfigurations.{GROUP}"


class Caller:
    """Answers by URL: `hooks[url](request)` gives the response, or what goes wrong."""

    def __init__(self):
        self.hooks = {}
        self.calls = []
        self.seconds = 0.5

    async def call(self, request, seconds):
        url = request.url.partition("?")[0].rpartition("/")[2]
        review = json.loads(request.body)
        self.calls.append((url, review, seconds))
        if self.seconds > seconds:
            await asyncio.sleep(seconds)
            raise Unreachable(f'Post "{request.shown}": context deadline exceeded')
        await asyncio.sleep(self.seconds)
        answer = self.hooks[url](review["request"])
        if isinstance(answer, Answer):
            return answer
        body = {"apiVersion": review["apiVersion"], "kind": "AdmissionReview"}
        body["response"] = {"uid": review["request"]["uid"]} | answer
        return Answer(200, {}, json.dumps(body).encode())

    @property
    def requests(self):
        return [review["request"] for _, review, _ in self.calls]

    @property
    def asked(self):
        return [url for url, _, _ in self.calls]


def allow(_request):
    return {"allowed": True}


def patching(*steps):
    """A webhook that answers with a JSON patch."""
    encoded = base64.b64encode(json.dumps(steps).encode()).decode()

    def answer(_request):
        return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}

    return answer


def label(key, value):
    """A webhook that sets a label, once."""

    def answer(request):
        labels = request["object"]["metadata"].get("labels")
        if (labels or {}).get(key) == value:
            return {"allowed": True}
        if labels is None:
            step = {"op": "add", "path": "/metadata/labels", "value": {key: value}}
        else:
            step = {"op": "add", "path": f"/metadata/labels/{key}", "value": value}
        return patching(step)(request)

    return answer


def hook(name, resources=("configmaps",), operations=("CREATE",), groups=("",), **more):
    """A webhook at a URL that ends with the first part of its name."""
    rule = {
        "apiGroups": list(groups), "apiVersions": ["v1"], "operations": list(operations),
        "resources": list(resources),
    }  # fmt: skip
    return {
        "name": f"{name}.example.com",
        "clientConfig": {"url": f"https://hooks.example.com/{name}"},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    } | more


@asynccontextmanager
async def world(*, settings=None, **hooks):
    caller = Caller()
    caller.hooks |= hooks
    asking = Asking(caller, Random("asking"))
    async with rw.world(admission=defaults.chain(asking=asking)) as found:
        found.caller = caller
        yield found


async def configure(world, resource, *hooks, name="hooks"):
    body = {"metadata": {"name": name}, "webhooks": list(hooks)}
    return await world.create(resource, body, "")
