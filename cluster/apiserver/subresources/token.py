"""`serviceaccounts/token`: a TokenRequest, answered with a token. Nothing is stored.

Source: k8s.io/kubernetes pkg/registry/core/serviceaccount/storage/token.go and
pkg/apis/authentication/validation.
"""

from typing import Any

from cluster.api import causes, decoding, errors, objects, timestamps
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.api.tokens.claims import Reference
from cluster.apiserver import bodies
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.authn.serviceaccounts import Issuer
from cluster.apiserver.plan import Call, Plan, document
from cluster.apiserver.watchcache.entry import Entry

_ROW = Resource("authentication.k8s.io", "v1", "TokenRequest", "tokenrequests")
_SECONDS = 3600
_SHORTEST = 600
_LONGEST = 1 << 32
_BINDS = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


def create(call: Call, chain: Chain) -> Plan | Entry:
    """A token of the account, for an audience, a time and maybe an object. errors.StatusError."""
    if call.issuer is None:
        raise errors.NotImplementedYet(
            "this API server signs no service account tokens: it was started without"
            " --service-account-signing-key-file"
        )
    wanted = _decoded(call)
    entry = call.entry()
    account = entry.document()
    _check(wanted)
    spec = wanted.setdefault("spec", {})
    if spec.get("expirationSeconds") is None:
        spec["expirationSeconds"] = _SECONDS
    if not spec.get("audiences"):
        spec["audiences"] = list(call.issuer.settings.own_audiences)
    request = Request(Act.CREATE, call, wanted, kind=_ROW)
    chain.mutate(request)
    _check(wanted)
    chain.validate(request)
    bound = _bound(call, account, spec.get("boundObjectRef"))
    spec["expirationSeconds"] = _shortened(call, call.issuer, spec["expirationSeconds"])
    token = call.issuer.issue(
        _reference("serviceaccounts", account), bound, spec["audiences"],
        spec["expirationSeconds"], now=call.now, random=call.random,
    )  # fmt: skip
    return document(entry, _answer(wanted, token, call.now))


def _decoded(call: Call) -> Object:
    body = bodies.decoded(call.operation.body, "TokenRequest")
    validation = call.operation.field_validation or "Warn"
    found, warnings = decoding.decoded(
        _ROW, body, call.version, validation, bodies.repeated(call.operation, body)
    )
    call.warnings += warnings
    meta = found["metadata"]
    if meta.setdefault("name", call.operation.name) != call.operation.name:
        raise errors.BadRequest("name in URL does not match name in TokenRequest object")
    if meta.setdefault("namespace", call.namespace) != call.namespace:
        raise errors.BadRequest("namespace in URL does not match namespace in TokenRequest object")
    return found


def _check(request: Object) -> None:
    path = "spec.expirationSeconds"
    seconds = objects.spec(request).get("expirationSeconds")
    if seconds is None:
        return
    if seconds < _SHORTEST:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > _LONGEST:
        why = "may not specify a duration larger than 2^32 seconds"
    else:
        return
    cause = causes.invalid(path, seconds, why)
    raise errors.invalid("TokenRequest", _ROW.group, "", [cause])


def _bound(call: Call, account: Object, wanted: Any) -> dict[str, Reference]:
    """What the token shall be bound to, by kind; with a pod comes the node that it is on."""
    if not wanted:
        return {}
    kind, api_version = wanted.get("kind") or "", wanted.get("apiVersion") or ""
    resource = _BINDS.get(kind) if api_version == "v1" else None
    if resource is None:
        group, slash, version = api_version.rpartition("/")
        shown = f"{group}/{version}" if slash else f"/{version}"
        raise errors.BadRequest(f"cannot bind token to object of type {shown}, Kind={kind}")
    name = wanted.get("name") or ""
    namespace = "" if kind == "Node" else call.namespace
    entry = call.cache.get(resource, namespace, name)
    if entry is None:
        raise errors.not_found(resource, name)
    obj = entry.document()
    if kind == "Pod" and objects.spec(obj).get("serviceAccountName") != objects.name(account):
        raise errors.BadRequest(
            f'cannot bind token for serviceaccount "{objects.name(account)}" to pod running with'
            " different serviceaccount name."
        )
    found = {kind.lower(): _reference(resource, obj)}
    if wanted.get("uid") and wanted["uid"] != objects.uid(obj):
        why = (
            f"the UID in the bound object reference ({wanted['uid']}) does not match the UID in"
            " record. The object might have been deleted and then recreated"
        )
        raise errors.conflict(kind, name, why)
    if kind == "Pod":
        found |= _node_of(call, objects.spec(obj).get("nodeName") or "")
    return found


def _node_of(call: Call, name: str) -> dict[str, Reference]:
    if not name:
        return {}
    node = call.cache.get("nodes", "", name)
    uid = objects.uid(node.document()) if node is not None else ""
    return {"node": Reference("nodes", "", name, uid)}


def _reference(resource: str, obj: Object) -> Reference:
    return Reference(resource, objects.namespace(obj), objects.name(obj), objects.uid(obj))


def _shortened(call: Call, issuer: Issuer, seconds: int) -> int:
    longest = issuer.settings.longest
    if not longest or seconds <= longest:
        return seconds
    call.warnings.append(
        f"requested expiration of {seconds} seconds shortened to {longest} seconds"
    )
    return longest


def _answer(request: Object, token: str, now: float) -> Object:
    request["metadata"]["creationTimestamp"] = timestamps.encode(now)
    spec = request["spec"]
    spec.setdefault("boundObjectRef", None)
    expires = int(now) + spec["expirationSeconds"]
    request["status"] = {"token": token, "expirationTimestamp": timestamps.encode(expires)}
    return request
