"""Faults that are put in on purpose: seeds of the rough lab find each of them within a few."""

import pytest

from cluster.api import objects
from cluster.apiserver.reader import Reader
from cluster.apiserver.subresources import binding
from cluster.apiserver.watchcache.events import BOOKMARK, Batch
from cluster.apiserver.watchcache.watch import Watch
from cluster.client.client import Client
from cluster.kubelet import statuswriter
from cluster.lab.rough.disk import DiskStorage
from cluster.lab.seeds import run

SEEDS = range(50, 62)
pytestmark = pytest.mark.usefixtures("seldom_collected")


def acknowledges_before_it_is_durable(patch):
    """What was committed last is gone after a crash, though it was acknowledged."""
    cut = DiskStorage.cut

    def forgetful(self):
        core = self._core
        if not self._cut:
            core.undo()
            core.settled = max(core.compacted, core.settled - 2)
        cut(self)

    patch.setattr(DiskStorage, "cut", forgetful)


def watches_skip_an_event(patch):
    """Now and then the first event of a batch is not told."""
    ready, count = Watch.ready, [0]

    def skipping(self):
        batch = ready(self)
        if batch is None or batch.events[0].type == BOOKMARK:
            return batch
        count[0] += 1
        if count[0] % 80:
            return batch
        rest = batch.events[1:]
        return Batch(rest) if rest else ready(self)

    patch.setattr(Watch, "ready", skipping)


def pods_are_bound_twice(patch):
    """The scheduler binds a pod to a second node, and the API server lets it."""
    bind = Client.bind

    async def binds_twice(self, namespace, name, uid, node):
        await bind(self, namespace, name, uid, node)
        await bind(self, namespace, name, uid, "node-2" if node == "node-1" else "node-1")

    patch.setattr(binding, "_check", lambda call, bound, pod: None)
    patch.setattr(Client, "bind", binds_twice)


def reads_are_stale(patch):
    """Now and then a GET gives the object as it was before its last change."""
    get, known, count = Reader.get, {}, [0]

    async def stale(self, resource, namespace, name, **options):
        entry = await get(self, resource, namespace, name, **options)
        before, last = known.get((resource, namespace, name), (entry, entry))
        if last.revision != entry.revision:
            before = last
        known[resource, namespace, name] = before, entry
        count[0] += 1
        return entry if count[0] % 5 else before

    patch.setattr(Reader, "get", stale)


def kubelets_let_go_of_pods_too_early(patch):
    """A deleted pod's object goes while its containers still stop."""
    operation = statuswriter._operation

    def early(pod):
        if pod.object is not None and objects.deleting(pod.object):
            pod.finalize = True
        return operation(pod)

    patch.setattr(statuswriter, "_operation", early)


MUTATIONS = {
    acknowledges_before_it_is_durable: ("is lost", "not linearizable"),
    watches_skip_an_event: ("a gap", "did not come to revision", "it does not converge", "missing"),
    pods_are_bound_twice: ("was bound to",),
    reads_are_stale: ("not linearizable",),
    kubelets_let_go_of_pods_too_early: ("two pods of StatefulSet",),
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.__name__)
def test_seeds_find(mutation, monkeypatch):
    mutation(monkeypatch)
    faults = next((found.faults for seed in SEEDS if (found := run.run(seed)).faults), [])
    assert any(word in fault for fault in faults for word in MUTATIONS[mutation])
