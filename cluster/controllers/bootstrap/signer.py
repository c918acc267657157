"""The bootstrap signer: keeps kube-public/cluster-info signed by every token that signs.

kubeadm makes that ConfigMap where it sets up a cluster; here this controller does, once the address
of the API is known. What somebody else puts there is signed and otherwise left alone.
"""

from typing import Final

from cluster.aio import tasks
from cluster.api import bootstraptokens, errors, objects
from cluster.client import informer, reconciler
from cluster.controllers import context
from cluster.controllers.bootstrap import signing

_MAPS: Final = "configmaps"
_SECRETS: Final = "secrets"
_NAMESPACE: Final = "kube-public"
_NAME: Final = "cluster-info"
_KEY: Final = f"{_NAMESPACE}/{_NAME}"
_API: Final = "default/kubernetes"


class BootstrapSigner:
    """Publishes and signs."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._clock = ctx.clock
        self._root_ca = ctx.config.root_ca
        self._maps = ctx.shared(_MAPS)
        self._secrets = ctx.shared(_SECRETS)
        self._slices = ctx.shared(context.ENDPOINT_SLICES)
        self._queue = ctx.queue()
        ctx.on_change(self._maps, self._changed(_KEY))
        ctx.on_change(self._slices, self._changed(_API))
        ctx.on_change(self._secrets, self._secret_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        for source in (self._maps, self._secrets, self._slices):
            await source.synced()
        async with tasks.Group("bootstrapsigner") as group:
            work = reconciler.Reconciler("bootstrapsigner", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _changed(self, key: str) -> informer.Handler:
        def hear(change: informer.Change) -> None:
            if change.key == key:
                self._queue.add(_KEY, change.revision)

        return hear

    def _secret_changed(self, change: informer.Change) -> None:
        obj = change.object
        if _is_token(obj):
            self._queue.add(_KEY, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to the ConfigMap."""
        found = self._maps.store.get(key)
        if found is None:
            await self._publish()
            return
        data = found.get("data") or {}
        if signing.KUBECONFIG not in data or objects.deleting(found):
            return
        wanted = signing.signed(data, self._tokens())
        if wanted != data:
            try:
                await self._client.update(_MAPS, {**found, "data": wanted})
            except errors.NotFound:
                return

    async def _publish(self) -> None:
        server = _server(self._slices.store.get(_API))
        if not server or not self._root_ca:
            return
        content = signing.kubeconfig(server, self._root_ca)
        obj = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _NAME, "namespace": _NAMESPACE},
            "data": signing.signed({signing.KUBECONFIG: content}, self._tokens()),
        }
        try:
            await self._client.create(_MAPS, obj)
        except errors.AlreadyExists:
            return

    def _tokens(self) -> dict[str, str]:
        now = self._clock.now()
        found = [
            bootstraptokens.usable(secret, bootstraptokens.SIGNING, now)
            for secret in self._secrets.store.list()
            if _is_token(secret)
        ]
        return {one.id: one.secret for one in found if one is not None}


def _is_token(secret: objects.Object) -> bool:
    here = objects.namespace(secret) == bootstraptokens.NAMESPACE
    return here and secret.get("type") == bootstraptokens.TYPE


def _server(slice: objects.Object | None) -> str:
    """Where the API is, by the EndpointSlice of its Service; "" where that does not say."""
    for endpoint in (slice or {}).get("endpoints") or ():
        for port in (slice or {}).get("ports") or ():
            host = endpoint["addresses"][0]
            return f"https://{f'[{host}]' if ':' in host else host}:{port.get('port')}"
    return ""
