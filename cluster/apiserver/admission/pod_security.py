"""PodSecurity: pods, and what makes pods, keep to the standards that their namespace asks for.

Source: k8s.io/pod-security-admission/admission.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.api.podsecurity import evaluation, levels, significance
from cluster.api.podsecurity.levels import Asked, Policy, Standard
from cluster.api.podsecurity.words import Finding
from cluster.apiserver import codec
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.events import Event

MAX_PODS: Final = 500
"""Pods that are looked at when a namespace grows stricter: it keeps everybody else waiting.
(Kubernetes: 3000, or as many as it can within a second.)"""
_TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "podtemplates": ("template",),
    "replicationcontrollers": ("spec", "template"),
    "replicasets.apps": ("spec", "template"),
    "deployments.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}
_IGNORED: Final = (
    "exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exemptions:
    """Whom it does not concern."""

    users: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    runtime_classes: tuple[str, ...] = ()


class PodSecurity(Plugin):
    """Refuses pods and warns, as namespaces ask by their labels."""

    name: ClassVar[str] = "PodSecurity"
    resources: ClassVar[tuple[str, ...]] = ("pods", "namespaces", *_TEMPLATES)

    def __init__(
        self, defaults: Policy | None = None, exemptions: Exemptions | None = None
    ) -> None:
        self._defaults = defaults or Policy()
        self._exempt = exemptions or Exemptions()
        self._asked: dict[str, Asked] = {}

    @classmethod
    def configured(cls, document: Any) -> Self:
        """By a PodSecurityConfiguration (pod-security.admission.config.k8s.io). ValueError."""
        found = document or {}
        said = found.get("defaults") or {}
        labels = {levels.PREFIX + key: str(value) for key, value in said.items()}
        asked = levels.of_labels(labels, Policy())
        if asked.problems:
            problem = asked.problems[0]
            field = problem.field.partition(levels.PREFIX)[2].rstrip("]")
            raise ValueError(f"PodSecurity: defaults.{field}: {problem.message}")
        spared = found.get("exemptions") or {}
        lists = [spared.get(key) or [] for key in ("usernames", "namespaces", "runtimeClasses")]
        if not all(isinstance(each, list) for each in lists):
            raise ValueError("PodSecurity: exemptions are lists")
        return cls(asked.policy, Exemptions(*(tuple(each) for each in lists)))

    def open(self, cache: WatchCache) -> None:
        """Follow the namespaces."""
        cache.of("namespaces").observe(self._follow)

    def validate(self, request: Request) -> None:
        """errors.Forbidden for pods; warnings for the rest."""
        if request.act not in (Act.CREATE, Act.UPDATE):
            return
        resource = request.row.id
        if resource == "namespaces":
            if not request.subresource:
                self._namespace(request)
            return
        asked = self._asked.get(request.call.namespace)
        if asked is None or self._spares(request):
            return
        if resource == "pods":
            self._pod(request, asked)
        elif not request.subresource:
            found: Any = request.object
            for step in _TEMPLATES[resource]:
                found = found.get(step) or {}
            if found:
                self._judge(request, asked, found, enforced=False)

    def _pod(self, request: Request, asked: Asked) -> None:
        if request.subresource in _IGNORED:
            return
        if request.old is not None and not significance.changed(request.object, request.old):
            return
        self._judge(request, asked, request.object, enforced=True)

    def _judge(self, request: Request, asked: Asked, pod: Object, *, enforced: bool) -> None:
        meta, spec = objects.meta(pod), objects.spec(pod)
        if self._exempt.runtime_classes and (
            spec.get("runtimeClassName") in self._exempt.runtime_classes
        ):
            return
        policy = asked.policy
        if asked.problems:
            problem = asked.problems[0]
            why = f"Failed to parse policy: {problem.field}: {problem.message}"
            request.call.note(f"{levels.PREFIX}error", why)
        if enforced:
            request.call.note(f"{levels.PREFIX}enforce-policy", str(policy.enforce))
            found = evaluation.findings(policy.enforce, meta, spec)
            if found:
                raise request.forbidden(_told(f'violates PodSecurity "{policy.enforce}"', found))
        found = evaluation.findings(policy.audit, meta, spec)
        if found:
            text = _told(f'would violate PodSecurity "{policy.audit}"', found)
            request.call.note(f"{levels.PREFIX}audit-violations", text)
        found = evaluation.findings(policy.warn, meta, spec)
        if found:
            text = _told(f'would violate PodSecurity "{policy.warn}"', found)
            request.call.warnings.append(text)

    def _spares(self, request: Request) -> bool:
        exempt = self._exempt
        if request.call.namespace in exempt.namespaces:
            return True
        return request.call.user.name in exempt.users

    def _namespace(self, request: Request) -> None:
        asked = levels.of_labels(objects.labels(request.object), self._defaults)
        before = levels.of_labels(objects.labels(request.old or {}), self._defaults)
        name = objects.name(request.object)
        if asked.problems and (request.old is None or asked.problems != before.problems):
            raise errors.invalid("Namespace", "", name, asked.problems)
        if name in self._exempt.namespaces:
            if not asked.policy.idle and (request.old is None or asked != before):
                request.call.warnings.append(
                    f'namespace "{name}" is exempt from Pod Security, and the policy '
                    f"({asked.policy}) will be ignored"
                )
            return
        if request.old is None or not _stricter(asked.policy.enforce, before.policy.enforce):
            return
        request.call.warnings += self._of_pods(request, name, asked.policy.enforce)

    def _of_pods(self, request: Request, namespace: str, standard: Standard) -> Iterator[str]:
        """What to say of the pods that are there already."""
        pods = request.cache.of("pods")
        prefix = codec.prefix("pods", namespace)
        count = pods.count(prefix)
        reasons: dict[str, list[str]] = {}
        for entry, _ in zip(pods.scan(prefix), range(MAX_PODS), strict=False):
            pod = entry.document()
            spec = objects.spec(pod)
            if spec.get("runtimeClassName") in self._exempt.runtime_classes:
                continue
            found = evaluation.findings(standard, objects.meta(pod), spec)
            if found:
                reason = ", ".join(each.reason for each in found)
                reasons.setdefault(reason, []).append(entry.name)
        if count > MAX_PODS:
            yield (
                "new PodSecurity enforce level only checked against the first "
                f"{MAX_PODS} of {count} existing pods"
            )
        if reasons:
            yield (
                f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce '
                f'level "{standard}"'
            )
        yield from sorted(_counted(names, reason) for reason, names in reasons.items())

    def _follow(self, event: Event) -> None:
        if event.type == events.DELETED and event.previous is not None:
            self._asked.pop(event.previous.name, None)
        elif event.entry is not None:
            asked = levels.of_labels(event.entry.labels, self._defaults)
            if asked.policy.idle:
                self._asked.pop(event.entry.name, None)
            else:
                self._asked[event.entry.name] = asked


def _stricter(new: Standard, old: Standard) -> bool:
    """Whether pods that were allowed may no longer be."""
    if new == old or new.level == levels.PRIVILEGED:
        return False
    weaker = levels.strictness(new.level) <= levels.strictness(old.level)
    return not (new.minor == old.minor and weaker)


def _told(what: str, found: list[Finding]) -> str:
    return f"{what}: {', '.join(str(each) for each in found)}"


def _counted(names: list[str], reason: str) -> str:
    more = len(names) - 1
    others = "" if not more else f" (and {more} other {'pod' if more == 1 else 'pods'})"
    return f"{min(names)}{others}: {reason}"
