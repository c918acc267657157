"""Secrets of type kubernetes.io/service-account-token: filled with a token, gone with the account.

The old way for a client to have a token: it does not expire, and holds until its secret or its
account goes. Source: k8s.io/kubernetes pkg/controller/serviceaccount/tokens_controller.go.
"""

import base64
from typing import Any, Final

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.api.tokens import claims
from cluster.api.tokens.jws import Signer
from cluster.api.tokens.keys import SigningKey
from cluster.client import informer, reconciler
from cluster.controllers import context, serviceaccount

SECRETS: Final = "secrets"
TYPE: Final = "kubernetes.io/service-account-token"
ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
ACCOUNT_UID: Final = "kubernetes.io/service-account.uid"


class TokensController:
    """Fills such secrets, and removes those whose account is not there."""

    def __init__(self, ctx: context.Context, key: SigningKey) -> None:
        self._client = ctx.client
        self._signer = Signer(key)
        self._root_ca = ctx.config.root_ca
        self._secrets = ctx.shared(SECRETS)
        self._accounts = ctx.shared(serviceaccount.RESOURCE)
        self._queue = ctx.queue()
        ctx.on_change(self._secrets, self._secret_changed)
        ctx.on_change(self._accounts, self._account_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("tokens") as group:
            work = reconciler.Reconciler("tokens", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _secret_changed(self, change: informer.Change) -> None:
        if change.new is not None and change.new.get("type") == TYPE:
            self._queue.add(change.key, change.revision)

    def _account_changed(self, change: informer.Change) -> None:
        if change.old is not None and change.new is not None:
            return
        account = change.object
        space, name = objects.namespace(account), objects.name(account)
        for secret in self._secrets.store.list():
            if objects.namespace(secret) == space and _account_of(secret) == name:
                self._queue.add(objects.key(secret), change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one secret."""
        secret = self._secrets.store.get(key)
        if secret is None or objects.deleting(secret) or secret.get("type") != TYPE:
            return
        account = await self._account(objects.namespace(secret), _account_of(secret))
        said = objects.annotations(secret).get(ACCOUNT_UID, "")
        if account is None or (said and said != objects.uid(account)):
            await self._remove(secret)
            return
        wanted = filled(secret, account, self._signer, self._root_ca)
        if wanted is not None:
            try:
                await self._client.update(SECRETS, wanted)
            except errors.NotFound:
                return

    async def _account(self, namespace: str, name: str) -> objects.Object | None:
        """The account; the API itself is asked before a secret is removed for the lack of it."""
        found = self._accounts.store.get(f"{namespace}/{name}")
        if found is not None or not name:
            return found
        try:
            return await self._client.get(serviceaccount.RESOURCE, name, namespace)
        except errors.NotFound:
            return None

    async def _remove(self, secret: objects.Object) -> None:
        place = objects.name(secret), objects.namespace(secret)
        try:
            await self._client.delete(SECRETS, *place, uid=objects.uid(secret))
        except (errors.NotFound, errors.Conflict):
            return


def filled(
    secret: objects.Object, account: objects.Object, signer: Signer, root_ca: str
) -> objects.Object | None:
    """The secret with everything in it; None: it has it already."""
    data: dict[str, str] = dict(secret.get("data") or {})
    namespace = objects.namespace(secret)
    wanted = {"namespace": _encoded(namespace)}
    if root_ca:
        wanted["ca.crt"] = _encoded(root_ca)
    if not data.get("token"):
        reference = claims.Reference(
            serviceaccount.RESOURCE, namespace, objects.name(account), objects.uid(account)
        )
        payload = claims.legacy_payload(reference, objects.name(secret))
        wanted["token"] = _encoded(signer.sign(payload))
    notes = objects.annotations(secret)
    if notes.get(ACCOUNT_UID) == objects.uid(account) and wanted.items() <= data.items():
        return None
    meta: dict[str, Any] = dict(objects.meta(secret))
    meta["annotations"] = {**notes, ACCOUNT_UID: objects.uid(account)}
    return {**secret, "metadata": meta, "data": {**data, **wanted}}


def _account_of(secret: objects.Object) -> str:
    if secret.get("type") != TYPE:
        return ""
    return str(objects.annotations(secret).get(ACCOUNT_NAME, ""))


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
