"""The policies of nodes, kept while everything that they are about changes: pure.

Only policies that select a pod of these nodes are compiled, and only what their rules name is
followed.
"""

from collections.abc import Collection, Mapping
from typing import Any

from cluster.api import objects
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy.overlay.policies import pods, rules
from cluster.proxy.overlay.policies.pods import Pod
from cluster.proxy.overlay.policies.rules import Policy
from cluster.proxy.overlay.policies.selections import Selection
from cluster.proxy.overlay.policies.sets import Sets


class _Active:
    """A policy, and the pods of this node that it selects."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.targets: dict[str, Pod] = {}


class Compiler:
    """Feed it with all NetworkPolicies, pods and namespaces; `take` gives what changed."""

    def __init__(self, nodes: Collection[str]) -> None:
        self._nodes = nodes
        self._sets = Sets(self._numbers_changed)
        self._policies: dict[str, dict[str, _Active]] = {}
        self._local: dict[str, dict[str, Pod]] = {}
        """The pods of its own nodes, by namespace and key."""
        self._users: dict[str, dict[str, None]] = {}
        """The keys of policies, by the selections that they use."""
        self._used: dict[str, list[Selection]] = {}
        self._dirty: dict[str, None] = {}
        self._entries: dict[str, dict[str, pb.Policy]] = {}

    # ---- what there is -----------------------------------------------------------------------

    def set_policy(self, obj: Mapping[str, Any]) -> None:
        """A NetworkPolicy appeared or changed. ValueError, and nothing done, if it has no sense."""
        active = _Active(rules.read(obj))
        policy = active.policy
        self._policies.setdefault(policy.namespace, {})[policy.key] = active
        for pod in self._local.get(policy.namespace, {}).values():
            if policy.pods.matches(pod.labels):
                active.targets[pod.key] = pod
        self._dirty[policy.key] = None

    def remove_policy(self, key: str) -> None:
        """A NetworkPolicy is gone."""
        namespace = objects.split_key(key)[0]
        policies = self._policies.get(namespace)
        if policies is None or policies.pop(key, None) is None:
            return
        if not policies:
            del self._policies[namespace]
        self._dirty[key] = None

    def set_pod(self, obj: Mapping[str, Any]) -> None:
        """A pod appeared or changed."""
        pod = pods.of(obj)
        if pod is None:
            self.remove_pod(objects.key(obj))
            return
        self._sets.set_pod(pod)
        if pod.node in self._nodes:
            self._local.setdefault(pod.namespace, {})[pod.key] = pod
            self._target(pod.namespace, pod.key, pod)

    def remove_pod(self, key: str) -> None:
        """A pod is gone."""
        namespace = objects.split_key(key)[0]
        self._sets.remove_pod(namespace, key)
        local = self._local.get(namespace)
        if local is None or local.pop(key, None) is None:
            return
        if not local:
            del self._local[namespace]
        self._target(namespace, key, None)

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """A namespace has these labels; None: it is gone."""
        self._sets.set_namespace(name, labels)

    # ---- what becomes of it ------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """Whether there may be anything to `take`."""
        return bool(self._dirty) or self._sets.changed

    def take(self, delta: pb.UpdateOverlayRequest) -> None:
        """Compile what changed, and add to `delta` the difference to what was taken last."""
        dirty, self._dirty = self._dirty, {}
        # All that is used is followed before anything is left: a selection in both stays as it is.
        left = [one for key in dirty for one in self._follow(key)]
        for selection in left:
            self._sets.leave(selection)
        # What was followed anew may have found numbers of ports: they are read below anyway.
        self._dirty = {}
        for key in dirty:
            self._compile(key, delta)
        self._sets.take(delta)

    def sets(self) -> list[pb.AddressSet]:
        """All sets of addresses, as of the last `take`."""
        return self._sets.all()

    def entries(self) -> list[pb.Policy]:
        """All entries, as of the last `take`, by key."""
        found = {key: each for entries in self._entries.values() for key, each in entries.items()}
        return [found[key] for key in sorted(found)]

    def _target(self, namespace: str, key: str, pod: Pod | None) -> None:
        """A pod of this node changed: see which policies select it now."""
        for active in self._policies.get(namespace, {}).values():
            selected = pod is not None and active.policy.pods.matches(pod.labels)
            if pod is not None and selected:
                if active.targets.get(key) != pod:
                    active.targets[key] = pod
                    self._dirty[active.policy.key] = None
            elif active.targets.pop(key, None) is not None:
                self._dirty[active.policy.key] = None

    def _numbers_changed(self, selection: str) -> None:
        self._dirty |= self._users.get(selection, {})

    def _active(self, key: str) -> _Active | None:
        """The policy, if it is there and selects a pod of this node."""
        active = self._policies.get(objects.split_key(key)[0], {}).get(key)
        return active if active is not None and active.targets else None

    def _follow(self, key: str) -> list[Selection]:
        """Follow what a policy needs now; what it needed before is to be left."""
        active = self._active(key)
        before = self._used.pop(key, [])
        for selection in before:
            users = self._users[selection.name]
            del users[key]
            if not users:
                del self._users[selection.name]
        if active is not None:
            used = self._used[key] = active.policy.selections()
            for selection in used:
                self._users.setdefault(selection.name, {})[key] = None
                self._sets.use(selection)
        return before

    def _compile(self, key: str, delta: pb.UpdateOverlayRequest) -> None:
        active = self._active(key)
        before = self._entries.pop(key, {})
        now: dict[str, pb.Policy] = {}
        if active is not None:
            targets = active.targets.values()
            made = rules.entries(active.policy, targets, self._sets.numbers)
            now = self._entries[key] = {entry.key: entry for entry in made}
        delta.removed_policies.extend(each for each in before if each not in now)
        delta.set_policies.extend(each for name, each in now.items() if before.get(name) != each)
