"""The approver: a node's request for its client certificate is approved where policy lets it."""

from cluster.aio import tasks
from cluster.api import certificates, errors, objects
from cluster.client import informer, reconciler
from cluster.controllers import context
from cluster.controllers.certificates import decision

REQUESTS = "certificatesigningrequests.certificates.k8s.io"
_REVIEWS = "subjectaccessreviews.authorization.k8s.io"


class CertificateApprover:
    """Asks the API whether whoever made the request may have such a certificate."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._requests = ctx.shared(REQUESTS)
        self._queue = ctx.queue()
        ctx.on_change(self._requests, self._changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("csrapproving") as group:
            work = reconciler.Reconciler("csrapproving", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _changed(self, change: informer.Change) -> None:
        signer = objects.spec(change.object).get("signerName")
        if change.new is not None and signer == certificates.KUBELET_CLIENT:
            self._queue.add(change.key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one request. What is asked anew at each change of it is not asked in between."""
        csr = self._requests.store.get(key)
        if csr is None:
            return
        for way in decision.recognized(csr):
            review = await self._client.create(_REVIEWS, decision.question(csr, way))
            if not objects.status(review).get("allowed"):
                continue
            approved = decision.with_condition(
                csr, certificates.APPROVED, "AutoApproved", way.message
            )
            try:
                await self._client.update(REQUESTS, approved, subresource="approval")
            except errors.NotFound:
                return
            return
