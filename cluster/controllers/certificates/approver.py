"""The approver: a node's request for its client certificate is approved where policy lets it."""

import contextlib
from typing import Final

from cluster.aio import tasks
from cluster.api import certificates, errors, objects
from cluster.client import informer, ratelimit, reconciler, workqueue
from cluster.controllers import context
from cluster.controllers.certificates import decision

REQUESTS = "certificatesigningrequests.certificates.k8s.io"
_REVIEWS = "subjectaccessreviews.authorization.k8s.io"
_FIRST_PAUSE: Final = 0.2
"""Seconds until a request is looked at again whose maker has no right to it, as in Kubernetes."""


class CertificateApprover:
    """Asks the API whether whoever made the request may have such a certificate."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._requests = ctx.shared(REQUESTS)
        limiter = ratelimit.ItemExponentialLimiter(ctx.random, base=_FIRST_PAUSE)
        self._queue = workqueue.WorkQueue(ctx.random, limiter=limiter)
        ctx.on_change(self._requests, self._changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("csrapproving") as group:
            work = reconciler.Reconciler("csrapproving", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _changed(self, change: informer.Change) -> None:
        if objects.spec(change.object).get("signerName") == certificates.KUBELET_CLIENT:
            self._queue.add(change.key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one request. NotYet where its maker lacks the right: he may be given it later."""
        csr = self._requests.store.get(key)
        if csr is None:
            return
        ways = decision.recognized(csr)
        for way in ways:
            review = await self._client.create(_REVIEWS, decision.question(csr, way))
            if objects.status(review).get("allowed"):
                await self._approve(csr, way)
                return
        if ways:
            tried = ", ".join(way.subresource for way in ways)
            raise reconciler.NotYet(f"whoever made it may not create any of {tried}")

    async def _approve(self, csr: objects.Object, way: decision.Recognized) -> None:
        approved = decision.with_condition(csr, certificates.APPROVED, "AutoApproved", way.message)
        with contextlib.suppress(errors.NotFound):
            await self._client.update(REQUESTS, approved, subresource="approval")
