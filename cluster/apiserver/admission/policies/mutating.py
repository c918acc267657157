"""MutatingAdmissionPolicy: changes objects as expressions say.

Source: k8s.io/apiserver pkg/admission/plugin/policy/mutating.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from cluster.api import errors
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver.admission import reinvoking
from cluster.apiserver.admission.matching import evaluation
from cluster.apiserver.admission.matching.attributes import Attributes
from cluster.apiserver.admission.matching.evaluation import Failed
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.admission.policies import parameters
from cluster.apiserver.admission.policies.definition import Binding, Mutation, Policy
from cluster.apiserver.admission.policies.evaluating import Evaluator
from cluster.apiserver.admission.policies.parameters import Misconfigured
from cluster.apiserver.admission.policies.source import Source
from cluster.apiserver.admission.webhooks.mutating import put
from cluster.apiserver.watchcache.cache import WatchCache

_GROUP: Final = "admissionregistration.k8s.io"


@dataclass(frozen=True, slots=True)
class _Invocation:
    """A policy, by one of its bindings, with one set of parameters."""

    policy: Policy
    binding: Binding
    row: Resource
    params: Object | None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from others."""
        meta = (self.params or {}).get("metadata") or {}
        return (
            self.policy.name, self.binding.name, meta.get("namespace") or "",
            meta.get("name") or "",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What went wrong with a policy that fails then."""

    policy: str
    binding: str
    message: str
    reason: str = ""

    def __str__(self) -> str:
        if self.binding:
            by = f"policy '{self.policy}' with binding '{self.binding}'"
        else:
            by = f'policy "{self.policy}"'
        return f"{by} denied request: {self.message}"


class MutatingAdmissionPolicy(Plugin):
    """Changes what is created and updated, as the bound policies say."""

    name: ClassVar[str] = "MutatingAdmissionPolicy"

    def __init__(self) -> None:
        self._source = Source(
            f"mutatingadmissionpolicies.{_GROUP}", f"mutatingadmissionpolicybindings.{_GROUP}"
        )

    def open(self, cache: WatchCache) -> None:
        """Follow the policies and their bindings."""
        self._source.open(cache)

    def heeds_renewals(self) -> bool:
        """Where there is a policy at all."""
        return self._source.any

    def mutate(self, request: Request) -> None:
        """Change the object. errors.StatusError; outside.Ask for a conversion."""
        if request.act in (Act.CREATE, Act.UPDATE) and self._source.may_concern(request):
            _Turn(request, self.name).run(self._source)


class _Turn:
    """One round of changes to one request."""

    def __init__(self, request: Request, plugin: str) -> None:
        self._request = request
        self._attributes = Attributes(request)
        self._memory = reinvoking.memory(request, plugin)
        self._troubles: list[_Trouble] = []

    def run(self, source: Source) -> None:
        """Carry out all mutations that apply. errors.StatusError."""
        # Which of them there are is decided before any has changed anything.
        invocations = list(self._invocations(source))
        self._memory.begin()
        for each in invocations:
            self._invoke(each)
        self._memory.end()
        if self._troubles:
            raise _refused(self._request, self._troubles)

    def _invocations(self, source: Source) -> Iterator[_Invocation]:
        for hit in source.hits(self._attributes):
            try:
                row = parameters.row_of(hit.policy, self._attributes)
            except Misconfigured as error:
                self._wrong(hit.policy, "", f"failed to configure policy: {error}")
                continue
            for binding in hit.bindings:
                try:
                    found = parameters.collected(row, binding, self._attributes)
                except Misconfigured as error:
                    why = f"failed to configure binding: {error}"
                    self._wrong(hit.policy, binding.name, why)
                    continue
                for params in found:
                    yield _Invocation(hit.policy, binding, hit.row, params)

    def _wrong(self, policy: Policy, binding: str, message: str, reason: str = "") -> None:
        if policy.fails:
            self._troubles.append(_Trouble(policy.name, binding, message, reason))

    def _invoke(self, each: _Invocation) -> None:
        policy = each.policy
        try:
            matched = self._evaluator(each).matched()
        except Failed as error:
            self._wrong(policy, each.binding.name, str(error), "Invalid")
            return
        if not matched or not self._memory.wanted(each.key):
            return
        changed = False
        for mutation in policy.mutations:
            try:
                changed |= self._mutate(each, mutation)
            except Failed as error:
                self._wrong(policy, each.binding.name, str(error), "Invalid")
        self._memory.asked(each.key, changed=changed, again=policy.again)

    def _evaluator(self, each: _Invocation) -> Evaluator:
        """Over the object as it is now."""
        given = evaluation.bindings(self._attributes, each.row, namespace=True)
        return Evaluator(each.policy, given, each.params)

    def _mutate(self, each: _Invocation, mutation: Mutation) -> bool:
        """Whether a mutation has changed the object. Failed."""
        from cluster.apiserver.admission.policies import patches  # late: brings CEL

        given = evaluation.bindings(self._attributes, each.row, namespace=True)
        value: Any = Evaluator(each.policy, given, each.params).value(mutation.expression)
        present: Object = given["object"]
        kind = self._attributes.kind_of(each.row)
        new = patches.patched(mutation.kind, value, present, kind, self._request.call.version)
        if new == present:
            return False
        put(self._attributes, new)
        return True


def _refused(request: Request, troubles: list[_Trouble]) -> errors.StatusError:
    error: errors.StatusError = request.forbidden("admission request denied by policy")
    error.message = str(troubles[0])
    error.reason = troubles[0].reason or error.reason
    error.details["causes"] = [{"message": str(each)} for each in troubles]
    return error
