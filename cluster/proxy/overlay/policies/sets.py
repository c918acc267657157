"""The addresses of selections, kept while pods and namespaces come, change and go: pure.

A selection at a named port has one set of addresses for each number that the port has in its pods;
the others have one.
"""

import ipaddress
from collections.abc import Callable, Mapping

from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy.overlay.policies.pods import Pod
from cluster.proxy.overlay.policies.selections import Selection


class _Set:
    """Addresses, each with how many pods have it: an address may have a new pod before it is heard
    that the old one is gone.
    """

    def __init__(self) -> None:
        self.addresses: dict[str, int] = {}
        self._changed: dict[str, bool] = {}
        """Addresses that were not there before, and those that were."""

    def add(self, address: str) -> None:
        self._note(address)
        self.addresses[address] = self.addresses.get(address, 0) + 1

    def remove(self, address: str) -> None:
        self._note(address)
        self.addresses[address] -= 1
        if not self.addresses[address]:
            del self.addresses[address]

    def _note(self, address: str) -> None:
        self._changed.setdefault(address, address in self.addresses)

    def message(self, key: str) -> pb.AddressSet:
        return pb.AddressSet(key=key, addresses=_sorted(self.addresses))

    def take(self, key: str) -> pb.AddressSetChange | None:
        changed, self._changed = self._changed, {}
        added = [one for one, was in changed.items() if not was and one in self.addresses]
        removed = [one for one, was in changed.items() if was and one not in self.addresses]
        if not added and not removed:
            return None
        return pb.AddressSetChange(key=key, added=_sorted(added), removed=_sorted(removed))


def _sorted(addresses: Mapping[str, int] | list[str]) -> list[str]:
    return sorted(addresses, key=lambda text: int(ipaddress.IPv4Address(text)))


class _Followed:
    """A selection that somebody uses, and where each of its pods stands."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.users = 0
        self.sets: dict[int, _Set] = {} if selection.port else {0: _Set()}
        self.members: dict[str, tuple[str, int]] = {}

    def put(self, key: str, pod: Pod | None) -> tuple[bool, bool]:
        """A pod is such now, or is none any more: whether addresses changed, and whether the port
        got another number somewhere, or lost one.
        """
        number = None if pod is None else self.selection.number(pod)
        new = None if pod is None or number is None else (pod.address, number)
        old = self.members.pop(key, None)
        if new is not None:
            self.members[key] = new
        if new == old:
            return False, False
        before = frozenset(self.sets)
        if new is not None:
            self.sets.setdefault(new[1], _Set()).add(new[0])
        if old is not None:
            self._leave(*old)
        return True, before != frozenset(self.sets)

    def _leave(self, address: str, number: int) -> None:
        self.sets[number].remove(address)
        if self.selection.port and not self.sets[number].addresses:
            del self.sets[number]


class Sets:
    """All sets that are used. `on_numbers` hears the name of a selection whose port got another
    number somewhere, or lost one: rules that use it have to be made anew.
    """

    def __init__(self, on_numbers: Callable[[str], None]) -> None:
        self._on_numbers = on_numbers
        self._followed: dict[str, _Followed] = {}
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._pods: dict[str, dict[str, Pod]] = {}
        self._by_namespace: dict[str, dict[str, _Followed]] = {}
        """Selections by the namespaces that they take pods of; under "" those that take all."""
        self._programmed: dict[str, dict[str, _Set]] = {}
        """What was taken last: sets by selection and key."""
        self._touched: dict[str, None] = {}
        """Names of selections whose sets may differ from what is programmed."""

    # ---- what there is -----------------------------------------------------------------------

    def set_pod(self, pod: Pod) -> None:
        """A pod appeared, or changed."""
        self._pods.setdefault(pod.namespace, {})[pod.key] = pod
        for followed in self._of(pod.namespace):
            self._put(followed, pod.key, pod)

    def remove_pod(self, namespace: str, key: str) -> None:
        """A pod is gone, or has no address any more."""
        pods = self._pods.get(namespace)
        if pods is None or pods.pop(key, None) is None:
            return
        if not pods:
            del self._pods[namespace]
        for followed in self._of(namespace):
            self._put(followed, key, None)

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """A namespace has these labels now; None: it is gone."""
        if labels is None:
            self._namespaces.pop(name, None)
        else:
            self._namespaces[name] = labels
        for followed in self._followed.values():
            if followed.selection.namespaces is not None:
                takes = labels is not None and followed.selection.takes_namespace(labels)
                self._enter(followed, name, takes=takes)

    # ---- what is used ------------------------------------------------------------------------

    def use(self, selection: Selection) -> None:
        """Somebody uses a selection, once more."""
        followed = self._followed.get(selection.name)
        if followed is None:
            followed = self._followed[selection.name] = _Followed(selection)
            self._touched[selection.name] = None
            if selection.namespaces is None:
                self._enter(followed, selection.namespace, takes=True)
            else:
                for name, labels in self._namespaces.items():
                    self._enter(followed, name, takes=selection.takes_namespace(labels))
        followed.users += 1

    def leave(self, selection: Selection) -> None:
        """Somebody uses it no longer."""
        followed = self._followed[selection.name]
        followed.users -= 1
        if followed.users:
            return
        del self._followed[selection.name]
        self._touched[selection.name] = None
        for name in [name for name, those in self._by_namespace.items() if selection.name in those]:
            self._forget(name, selection.name)

    def numbers(self, selection: Selection) -> list[tuple[int, str]]:
        """The numbers of its port, in order, and the key of the set of each; of one without a port
        number 0 and its set.
        """
        numbers = sorted(self._followed[selection.name].sets)
        return [(number, _key(selection.name, number)) for number in numbers]

    # ---- what is programmed ------------------------------------------------------------------

    def all(self) -> list[pb.AddressSet]:
        """Every set, by key."""
        found = {
            _key(name, number): each
            for name, followed in self._followed.items()
            for number, each in followed.sets.items()
        }
        return [found[key].message(key) for key in sorted(found)]

    @property
    def changed(self) -> bool:
        """Whether there may be anything to `take`."""
        return bool(self._touched)

    def take(self, delta: pb.UpdateOverlayRequest) -> None:
        """Add to `delta` what changed since it was taken last."""
        touched, self._touched = self._touched, {}
        for name in touched:
            before = self._programmed.pop(name, {})
            followed = self._followed.get(name)
            sets = {} if followed is None else followed.sets
            now = {_key(name, number): sets[number] for number in sorted(sets)}
            delta.removed_sets.extend(key for key in before if key not in now)
            for key, each in now.items():
                change = each.take(key)
                if before.get(key) is not each:
                    delta.set_sets.append(each.message(key))
                elif change is not None:
                    delta.changed_sets.append(change)
            if now:
                self._programmed[name] = now

    def _put(self, followed: _Followed, key: str, pod: Pod | None) -> None:
        changed, numbers = followed.put(key, pod)
        if changed:
            self._touched[followed.selection.name] = None
        if numbers:
            self._on_numbers(followed.selection.name)

    def _enter(self, followed: _Followed, namespace: str, *, takes: bool) -> None:
        """Whether a selection takes pods of a namespace, from now on."""
        those = self._by_namespace.get(namespace, {})
        name = followed.selection.name
        if takes == (name in those):
            return
        if takes:
            self._by_namespace.setdefault(namespace, {})[name] = followed
        else:
            self._forget(namespace, name)
        for where in (namespace,) if namespace else self._pods:
            for key, pod in self._pods.get(where, {}).items():
                self._put(followed, key, pod if takes else None)

    def _of(self, namespace: str) -> list[_Followed]:
        """The selections that take pods of a namespace."""
        named, all_of_them = (self._by_namespace.get(each) or {} for each in (namespace, ""))
        return [*named.values(), *all_of_them.values()]

    def _forget(self, namespace: str, name: str) -> None:
        those = self._by_namespace[namespace]
        del those[name]
        if not those:
            del self._by_namespace[namespace]


def _key(name: str, number: int) -> str:
    return f"{name}={number}" if number else name
