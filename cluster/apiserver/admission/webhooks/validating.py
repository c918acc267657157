"""ValidatingAdmissionWebhook: asks all webhooks that are concerned, at once."""

from typing import ClassVar

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver.admission.matching.attributes import Attributes, shown
from cluster.apiserver.admission.matching.index import Found, Index
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.admission.webhooks import hook as hooks
from cluster.apiserver.admission.webhooks import review
from cluster.apiserver.admission.webhooks.asking import Asking
from cluster.apiserver.admission.webhooks.hook import Hook
from cluster.apiserver.admission.webhooks.matching import check_dry, matched
from cluster.apiserver.admission.webhooks.review import Verdict
from cluster.apiserver.plan import Call
from cluster.apiserver.watchcache.cache import WatchCache

_RESOURCE = "validatingwebhookconfigurations.admissionregistration.k8s.io"
_FAILED_OPEN = "failed-open.validating.webhook.admission.k8s.io/round_0_index_"


class ValidatingAdmissionWebhook(Plugin):
    """Asks the webhooks of ValidatingWebhookConfigurations; the first refusal counts."""

    name: ClassVar[str] = "ValidatingAdmissionWebhook"

    def __init__(self, asking: Asking | None = None) -> None:
        self._asking = asking if asking is not None else Asking()
        self._index: Index[Hook] = Index(_RESOURCE, hooks.built)

    def open(self, cache: WatchCache) -> None:
        """Follow the configurations."""
        self._index.open(cache)

    def heeds_renewals(self) -> bool:
        """Where there is a webhook at all."""
        return bool(self._index.items)

    def validate(self, request: Request) -> None:
        """Ask. errors.StatusError, outside.Ask."""
        found = self._index.of(request)
        if found:
            self._ask(request, found)

    def _ask(self, request: Request, found: Found[Hook]) -> None:
        attributes = Attributes(request)
        relevant = [
            (place, hook, row)
            for place, hook, static in found
            if (row := matched(hook, static, attributes)) is not None
        ]
        if not relevant:
            return
        for _, hook, _ in relevant:
            check_dry(hook, attributes)
        asked = [(hook, _shown(attributes, row)) for _, hook, row in relevant]
        verdicts = self._asking.all(request.call.answers, asked, "validating", mutating=False)
        first: errors.StatusError | None = None
        for (place, hook, _), verdict in zip(relevant, verdicts, strict=True):
            first = first or _heard(request.call, place, hook, verdict)
        if first is not None:
            raise first


def _heard(call: Call, place: int, hook: Hook, verdict: Verdict) -> errors.StatusError | None:
    """The error that a verdict means."""
    if verdict.failure:
        if hook.fails:
            return errors.InternalError(f"Internal error occurred: {verdict.failure}")
        call.note(f"{_FAILED_OPEN}{place}", hook.name)
        return None
    for key, text in verdict.annotations:
        call.note(f"{hook.name}/{key}", text)
    call.warnings += verdict.warnings
    return None if verdict.allowed else review.refusal(hook.name, verdict.result)


def _shown(attributes: Attributes, row: Resource) -> Object:
    asked = attributes.document(row)
    old = shown(attributes, attributes.old, row)
    asked["object"] = as_stored(attributes, shown(attributes, attributes.object, row))
    asked["oldObject"] = old
    return asked


def as_stored(attributes: Attributes, obj: Object | None) -> Object | None:
    """An update as it is about to be stored: on the revision that it replaces."""
    request = attributes.request
    if obj is None or request.old is None or request.act is not Act.UPDATE:
        return obj
    revision = objects.meta(request.old).get("resourceVersion")
    if revision is None or "metadata" not in obj:
        return obj
    return obj | {"metadata": objects.meta(obj) | {"resourceVersion": revision}}
