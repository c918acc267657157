"""ValidatingAdmissionPolicy: what its expressions say of a request.

Source: k8s.io/apiserver pkg/admission/plugin/policy/validating.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from cluster.api import errors
from cluster.apiserver import codec
from cluster.apiserver.admission.matching import evaluation
from cluster.apiserver.admission.matching.attributes import Attributes
from cluster.apiserver.admission.matching.evaluation import Failed
from cluster.apiserver.admission.plugin import Plugin, Request
from cluster.apiserver.admission.policies import parameters
from cluster.apiserver.admission.policies.definition import Binding, Check, Policy
from cluster.apiserver.admission.policies.evaluating import Evaluator
from cluster.apiserver.admission.policies.parameters import Misconfigured
from cluster.apiserver.admission.policies.source import Hit, Source
from cluster.apiserver.admission.webhooks.validating import as_stored
from cluster.apiserver.watchcache.cache import WatchCache

_GROUP: Final = "admissionregistration.k8s.io"
_FAILURE: Final = "validation.policy.admission.k8s.io/validation_failure"
_MESSAGE_BYTES: Final = 5 << 10
"""MaxEvaluatedMessageExpressionSizeBytes."""
_ANNOTATION_BYTES: Final = 10 << 10
"""maxAuditAnnotationValueLength."""
_CODES: Final = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413}


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal by a policy, with one of its bindings unless the policy itself is wrong."""

    policy: str
    binding: str
    message: str
    reason: str = "Invalid"


@dataclass(frozen=True, slots=True)
class Decision:
    """A validation that does not hold; `index` is its place in the policy."""

    index: int
    message: str
    reason: str = "Invalid"


class ValidatingAdmissionPolicy(Plugin):
    """Refuses, or warns of, what the bound policies do not allow."""

    name: ClassVar[str] = "ValidatingAdmissionPolicy"

    def __init__(self) -> None:
        self._source = Source(
            f"validatingadmissionpolicies.{_GROUP}", f"validatingadmissionpolicybindings.{_GROUP}"
        )

    def open(self, cache: WatchCache) -> None:
        """Follow the policies and their bindings."""
        self._source.open(cache)

    def heeds_renewals(self) -> bool:
        """Where there is a policy at all."""
        return self._source.any

    def validate(self, request: Request) -> None:
        """Evaluate the policies. errors.StatusError; outside.Ask for a conversion."""
        if self._source.may_concern(request):
            denials = _Evaluation(request).run(self._source)
            if denials:
                raise _refused(request, denials[0])


class _Evaluation:
    """Of all policies over one request."""

    def __init__(self, request: Request) -> None:
        self._call = request.call
        self._attributes = Attributes(request)
        self._bindings: dict[tuple[str, str], dict[str, Any]] = {}
        self._denials: list[Denial] = []

    def run(self, source: Source) -> list[Denial]:
        """The refusals, in order."""
        for hit in source.hits(self._attributes):
            try:
                row = parameters.row_of(hit.policy, self._attributes)
            except Misconfigured as error:
                self._wrong(hit.policy, "", f"failed to configure policy: {error}")
                continue
            notes: dict[str, list[str]] = {}
            for binding in hit.bindings:
                try:
                    found = parameters.collected(row, binding, self._attributes)
                except Misconfigured as error:
                    why = f"failed to configure binding: {error}"
                    self._wrong(hit.policy, binding.name, why)
                    continue
                for params in found:
                    self._evaluate(hit, binding, params, notes)
            for key, texts in notes.items():
                self._call.note(f"{hit.policy.name}/{key}", ", ".join(texts))
        return self._denials

    def _wrong(self, policy: Policy, binding: str, message: str) -> None:
        if policy.fails:
            self._denials.append(Denial(policy.name, binding, message))

    def _evaluate(
        self, hit: Hit, binding: Binding, params: Any, notes: dict[str, list[str]]
    ) -> None:
        policy = hit.policy
        evaluator = Evaluator(policy, self._given(hit), params)
        try:
            if not evaluator.matched():
                return
        except Failed as error:
            self._decided(policy, binding, Decision(0, str(error)))
            return
        for decision in _decisions(policy, evaluator):
            self._decided(policy, binding, decision)
        evaluator.afresh()
        self._annotate(policy, binding, evaluator, notes)

    def _given(self, hit: Hit) -> dict[str, Any]:
        key = (hit.row.id, hit.row.version)
        found = self._bindings.get(key)
        if found is None:
            attributes = self._attributes
            found = evaluation.bindings(attributes, hit.row, namespace=True)
            found["object"] = as_stored(attributes, found["object"])
            self._bindings[key] = found
        return found

    def _decided(self, policy: Policy, binding: Binding, decision: Decision) -> None:
        for action in binding.actions:
            if action == "Deny":
                denial = Denial(policy.name, binding.name, decision.message, decision.reason)
                self._denials.append(denial)
            elif action == "Warn":
                self._call.warnings.append(
                    f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding "
                    f"'{binding.name}': {decision.message}"
                )
            elif action == "Audit":
                self._call.note(_FAILURE, _failure(policy, binding, decision))

    def _annotate(
        self, policy: Policy, binding: Binding, evaluator: Evaluator, notes: dict[str, list[str]]
    ) -> None:
        for key, expression in policy.annotations:
            try:
                value = evaluator.value(expression)
            except Failed as error:
                if policy.fails:
                    self._denials.append(Denial(policy.name, binding.name, str(error)))
                if error.exhausted:
                    return
                continue
            text = _trimmed(value.strip()) if isinstance(value, str) else ""
            if text and text not in notes.setdefault(key, []):
                notes[key].append(text)


def _decisions(policy: Policy, evaluator: Evaluator) -> Iterator[Decision]:
    """The validations that do not hold; those that have no value where the policy fails."""
    found: list[Decision] = []
    for index, check in enumerate(policy.checks):
        try:
            if evaluator.value(check.expression) is True:
                continue
            message = _message(check, evaluator)
        except Failed as error:
            if error.exhausted:  # nothing of the policy counts then but this
                found = [Decision(0, str(error))] if policy.fails else []
                break
            if policy.fails:
                found.append(Decision(index, str(error)))
            continue
        found.append(Decision(index, message, check.reason))
    yield from found


def _message(check: Check, evaluator: Evaluator) -> str:
    """What to say. Failed where the budget does not suffice for saying it."""
    if check.shown is not None:
        value: Any = None
        try:
            value = evaluator.value(check.shown)
        except Failed as error:
            if error.exhausted:
                raise Failed(f"failed messageExpression: {error}") from None
        text = value.strip() if isinstance(value, str) else ""
        if text and len(text.encode(errors="replace")) <= _MESSAGE_BYTES and "\n" not in text:
            return text
    return check.message or f"failed expression: {check.expression.text.strip()}"


def _trimmed(text: str) -> str:
    """At most so many bytes."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= _ANNOTATION_BYTES:
        return text
    return encoded[:_ANNOTATION_BYTES].decode(errors="ignore")


def _failure(policy: Policy, binding: Binding, decision: Decision) -> str:
    said = {
        "message": decision.message,
        "policy": policy.name,
        "binding": binding.name,
        "expressionIndex": decision.index,
        "validationActions": binding.actions,
    }
    return codec.document([said]).decode()


def _refused(request: Request, denial: Denial) -> errors.StatusError:
    by = f" with binding '{denial.binding}'" if denial.binding else ""
    message = f"ValidatingAdmissionPolicy '{denial.policy}'{by} denied request: {denial.message}"
    error: errors.StatusError = request.forbidden(message)
    error.reason = denial.reason
    error.code = _CODES.get(denial.reason, 422)
    error.details["causes"] = [{"message": message}]
    return error
