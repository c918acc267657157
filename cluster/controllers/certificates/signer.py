"""The signer: approved requests for Kubernetes' own signers get certificates of the CA."""

import base64
import random
from typing import TYPE_CHECKING

import structlog

from cluster.aio import clock, tasks
from cluster.api import certificates, errors, objects
from cluster.api.objects import Object
from cluster.client import informer, reconciler
from cluster.controllers import context
from cluster.controllers.certificates import decision
from cluster.controllers.certificates.approver import REQUESTS

if TYPE_CHECKING:
    from cluster.controllers.certificates.authority import Authority

_SERIAL_BITS = 126


class CertificateSigner:
    """Signs, or says why not."""

    def __init__(self, ctx: context.Context, authority: "Authority") -> None:
        self._client = ctx.client
        self._clock: clock.Clock = ctx.clock
        self._random: random.Random = ctx.random
        self._authority = authority
        self._most = ctx.config.cluster_signing_duration
        self._requests = ctx.shared(REQUESTS)
        self._queue = ctx.queue()
        self._log = structlog.get_logger().bind(controller="csrsigning")
        ctx.on_change(self._requests, self._changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("csrsigning") as group:
            work = reconciler.Reconciler("csrsigning", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _changed(self, change: informer.Change) -> None:
        if change.new is not None and decision.to_sign(change.new):
            self._queue.add(change.key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one request."""
        csr = self._requests.store.get(key)
        if csr is None or not decision.to_sign(csr):
            return
        try:
            wanted = self._signed(csr)
        except certificates.Unreadable as error:
            self._log.warning("request cannot be read", request=key, error=str(error))
            return
        try:
            await self._client.update(REQUESTS, wanted, subresource="status")
        except errors.NotFound:
            return

    def _signed(self, csr: Object) -> Object:
        spec = objects.spec(csr)
        request = certificates.request_of(spec.get("request") or "")
        fault = decision.fault(csr, request)
        if fault:
            return decision.with_condition(
                csr, certificates.FAILED, "SignerValidationFailure", fault
            )
        pem = self._authority.sign(
            request,
            spec.get("usages") or [],
            seconds=decision.life(spec.get("expirationSeconds"), self._most),
            now=self._clock.now(),
            serial=self._random.getrandbits(_SERIAL_BITS) + 1,
        )
        certificate = base64.b64encode(pem).decode()
        return {**csr, "status": {**objects.status(csr), "certificate": certificate}}
