"""MutatingAdmissionWebhook: asks one webhook after the other, and changes what they want."""

from typing import ClassVar

import msgspec

from cluster.api import decoding, defaults, errors, patching
from cluster.api.objects import Object
from cluster.api.operations import JSON_PATCH
from cluster.api.resources import Resource
from cluster.apiserver import codec
from cluster.apiserver.admission import reinvoking
from cluster.apiserver.admission.matching.attributes import Attributes, restored, shown
from cluster.apiserver.admission.matching.index import Found, Index
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.admission.webhooks import hook as hooks
from cluster.apiserver.admission.webhooks import review
from cluster.apiserver.admission.webhooks.asking import Asking
from cluster.apiserver.admission.webhooks.hook import Hook
from cluster.apiserver.admission.webhooks.matching import check_dry, matched
from cluster.apiserver.watchcache.cache import WatchCache

_RESOURCE = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
_PREFIX = "mutation.webhook.admission.k8s.io/"
_PATCH = "patch.webhook.admission.k8s.io/"


class MutatingAdmissionWebhook(Plugin):
    """Asks the webhooks of MutatingWebhookConfigurations, in the order of their names."""

    name: ClassVar[str] = "MutatingAdmissionWebhook"

    def __init__(self, asking: Asking | None = None) -> None:
        self._asking = asking if asking is not None else Asking()
        self._index: Index[Hook] = Index(_RESOURCE, hooks.built)

    def open(self, cache: WatchCache) -> None:
        """Follow the configurations."""
        self._index.open(cache)

    def heeds_renewals(self) -> bool:
        """Where there is a webhook at all."""
        return bool(self._index.items)

    def mutate(self, request: Request) -> None:
        """Ask, and change the object as the answers say. errors.StatusError, outside.Ask."""
        found = self._index.of(request)
        if found:
            _Turn(self._asking, request, self.name).run(found)


class _Turn:
    """One round of questions about one request."""

    def __init__(self, asking: Asking, request: Request, plugin: str) -> None:
        self._asking = asking
        self._request = request
        self._attributes = Attributes(request)
        self._memory = reinvoking.memory(request, plugin)

    def run(self, found: Found[Hook]) -> None:
        """Ask all that are concerned."""
        memory = self._memory
        memory.begin()
        for place, hook, static in found:
            row = matched(hook, static, self._attributes)
            if row is not None and memory.wanted(hook.key):
                changed = self._asked(place, hook, row)
                memory.asked(hook.key, changed=changed, again=hook.again)
        memory.end()

    def _asked(self, place: int, hook: Hook, row: Resource) -> bool:
        """Whether a webhook has changed the object."""
        attributes, call = self._attributes, self._request.call
        check_dry(hook, attributes)
        asked = attributes.document(row)
        found = shown(attributes, attributes.object, row)
        asked["object"] = found
        asked["oldObject"] = shown(attributes, attributes.old, row)
        turn = int(self._memory.again)
        about = ("mutating", turn, place)
        verdict = self._asking.one(call.answers, hook, asked, about, mutating=True)
        if verdict.failure:
            if hook.fails:
                raise errors.InternalError(f"Internal error occurred: {verdict.failure}")
            call.note(f"failed-open.mutation.webhook.admission.k8s.io/round_{turn}_index_{place}",
                      hook.name)  # fmt: skip
            return False
        for key, text in verdict.annotations:
            call.note(f"{hook.name}/{key}", text)
        call.warnings += verdict.warnings
        if not verdict.allowed:
            raise review.refusal(hook.name, verdict.result)
        changed = bool(verdict.patch) and self._changed(hook, found, row, verdict.patch)
        self._annotate(f"round_{turn}_index_{place}", hook, verdict.patch, changed=changed)
        return changed

    def _annotate(self, key: str, hook: Hook, patch: bytes, *, changed: bool) -> None:
        call = self._request.call
        about = {"configuration": hook.configuration, "webhook": hook.name}
        call.note(_PREFIX + key, codec.document(about | {"mutated": changed}).decode())
        if patch:
            said = {"patch": msgspec.Raw(patch), "patchType": "JSONPatch"}
            call.note(_PATCH + key, codec.document(about | said).decode(errors="replace"))

    def _changed(self, hook: Hook, found: Object | None, row: Resource, patch: bytes) -> bool:
        if found is None:
            if _empty(patch):
                return False
            why = f'admission webhook "{hook.name}" attempted to modify the object, which is not'
            raise _internal(f"{why} supported for this operation")
        kind = self._attributes.kind_of(row)
        new = patched(self._request, kind, found, patch)
        if new == found:
            return False
        put(self._attributes, new)
        return True


def patched(request: Request, kind: Resource, obj: Object, patch: bytes) -> Object:
    """What a JSON patch makes of an object, decoded and with its defaults. errors.InternalError."""
    version = request.call.version
    try:
        made = patching.patched(kind, obj, patch, JSON_PATCH, version)
        if request.act is Act.CONNECT:
            return made
        return complete(kind, made, version)
    except errors.StatusError as error:
        cause = error.__cause__
        raise _internal(f"{cause or error.message}") from None


def complete(kind: Resource, made: Object, version: str) -> Object:
    """An object that was changed from outside, decoded anew and with its defaults."""
    new, _ = decoding.decoded(kind, made, version, "Ignore")
    defaults.apply(kind, new, version)
    return new


def put(attributes: Attributes, new: Object) -> None:
    """Put another state of the object, in whatever version, in its place. outside.Ask."""
    own = restored(attributes, new)
    present = attributes.request.object
    if own is not present:
        kept = dict(own)
        present.clear()
        present.update(kept)


def _empty(patch: bytes) -> bool:
    return patch.strip() in (b"[]", b"null")


def _internal(why: str) -> errors.InternalError:
    return errors.InternalError(f"Internal error occurred: {why}")
