"""The API server: storage, registry and faces, built and served together."""

import asyncio
import sys
from contextlib import AsyncExitStack
from random import Random
from typing import TYPE_CHECKING

import structlog

from cluster.aio import tasks
from cluster.aio.clock import Clock
from cluster.aio.grpcserver import GrpcServer
from cluster.aio.supervision import Supervisor
from cluster.api import resources, schema
from cluster.apiserver import authn, bootstrap, compaction, expiry, grpc_face
from cluster.apiserver.admission import defaults
from cluster.apiserver.admission.quota import publishing
from cluster.apiserver.admission.webhooks.asking import Asking
from cluster.apiserver.aggregation import authentication
from cluster.apiserver.authn.bootstraptokens import BootstrapTokens
from cluster.apiserver.authn.serviceaccounts import Issuer, ServiceAccounts
from cluster.apiserver.authz import modes
from cluster.apiserver.chaos import service as chaos
from cluster.apiserver.config import Config
from cluster.apiserver.extensions.controller import Extensions
from cluster.apiserver.extensions.converting import Converting
from cluster.apiserver.fairness.upkeep import Upkeep
from cluster.apiserver.kubelets.grpc_kubelets import GrpcConnector
from cluster.apiserver.policystatus import PolicyStatus
from cluster.apiserver.registry import Registry
from cluster.apiserver.storekeeping import service as storekeeping
from cluster.apiserver.usage import metrics
from cluster.apiserver.usage.collector import Collector
from cluster.apiserver.virtual import who
from cluster.apiserver.watchcache.cache import Limits
from cluster.pb.cluster.v1.chaos_pb2_grpc import add_ChaosServicer_to_server
from cluster.pb.cluster.v1.store_pb2_grpc import add_StoreServicer_to_server
from cluster.storage import interface as storage

if TYPE_CHECKING:
    from cluster.apiserver.advertising import Advertiser
    from cluster.apiserver.encryption.store import Encrypted


class ApiServer:
    """Serves until `run` is cancelled; `ready` is set when every face listens.

    Without its storage or a face it ends; whatever else crashes is started again.

    `registry` may be used by others of the same process once `ready` is set. `port` and
    `grpc_port` tell where it listens, 0 where it does not (yet).
    """

    def __init__(
        self, config: Config, *, storage: storage.Storage, clock: Clock, random: Random
    ) -> None:
        self._config = config
        self._beneath = storage
        self._encrypted: Encrypted | None = None
        if config.encryption is not None:
            from cluster.apiserver.encryption import store  # late: few encrypt

            self._encrypted = store.Encrypted(storage, config.encryption.configuration)
            storage = self._encrypted
        self._storage = storage
        self._clock = clock
        self._random = random
        self._log = structlog.get_logger().bind(component="apiserver")
        self.ready = asyncio.Event()
        self.port = 0
        self.grpc_port = 0
        self._advertiser: Advertiser | None = None
        self._asking = Asking(random=random)
        settings = config.service_accounts
        self._issuer = Issuer(settings, settings.signing) if settings.signing is not None else None
        self._chain = defaults.chain(
            config.service_range,
            config.node_ports,
            defaults.TolerationSeconds(config.not_ready_seconds, config.unreachable_seconds),
            config.admission,
            asking=self._asking,
        )
        self._initial = bootstrap.Initial(
            config.service_range,
            config.advertise,
            config.port or bootstrap.Initial().port,
            config.addons,
        )
        self.registry = Registry(
            resources.built_in(config.version),
            storage,
            clock=clock,
            random=random,
            admission=self._chain,
            limits=Limits(ring=config.ring),
            version=config.version,
            initial=self._initial,
            issuer=self._issuer,
            authorization=config.authorization,
        )
        if self._encrypted is not None:
            self.registry.cache.stale = self._encrypted.stale
            self.registry.cache.reason = self._encrypted.reason
        self.authenticator = self._authenticator()
        self.registry.virtual[who.TOKENS] = who.token_review(self.authenticator)

    def _authenticator(self) -> authn.Authenticator:
        config, cache = self._config, self.registry.cache
        known = ServiceAccounts(config.service_accounts, cache, self._clock)
        return authn.Authenticator(
            config.tokens,
            service_accounts=known if config.service_accounts.all_keys else None,
            bootstrap=BootstrapTokens(cache, self._clock) if config.bootstrap_tokens else None,
            proxy=config.proxy,
            # As kube-apiserver: who is nobody may not do everything.
            anonymous=config.anonymous and modes.ALWAYS_ALLOW not in config.authorization,
            now=self._clock.now,
        )

    async def run(self) -> None:
        """Open the store, serve, and close it at the end. storage.Unavailable, OSError."""
        async with AsyncExitStack() as stack:
            await self._storage.open()
            stack.push_async_callback(self._storage.close)
            stack.push_async_callback(self.registry.close)
            await self.registry.open()
            self._tell_of_unreadable()
            extensions = Extensions(self.registry, self._random)
            extensions.open()
            policies = PolicyStatus(self.registry, self._random, self._config.version)
            policies.open()
            if self._config.client_ca:
                proxies = self._config.proxy_client is not None
                await authentication.publish(self.registry, self._config.client_ca, proxies=proxies)
            upkeep = Upkeep(self.registry)
            await upkeep.open()
            if self.registry.freshness.shared and self._config.advertise:
                from cluster.apiserver.advertising import Advertiser  # late: few have others

                place = self._config.advertise, self._initial.port
                self._advertiser = Advertiser(self.registry, self._storage, place)
                self._advertiser.open()
                stack.push_async_callback(self._advertiser.leave)
            group = await stack.enter_async_context(tasks.Group("apiserver"))
            keeper = Supervisor(group, random=self._random, log=self._log)
            await self._serve_rest(stack, keeper)
            await self._serve_grpc(stack, group)
            keeper.spawn(extensions.run, "extensions")
            keeper.spawn(policies.run, "policy status")
            keeper.spawn(upkeep.run, "flow control")
            self._keep_up(keeper)
            self._follow_keys(keeper)
            self._log.info("serving", port=self.port, grpc_port=self.grpc_port)
            self.ready.set()
            # Where subscribers cannot be told of everything, all is read anew by the next process.
            await self._storage.lasting()

    def _tell_of_unreadable(self) -> None:
        """Say in the log what of the store nobody can read."""
        for key, record in self.registry.cache.unreadable().items():
            why = self.registry.cache.reason(record) or "the stored value is no object"
            self._log.error("a stored object cannot be read", key=key, error=why)

    def _follow_keys(self, keeper: Supervisor) -> None:
        """Take over new keys of encryption at rest, where that is wanted."""
        encrypted, settings = self._encrypted, self._config.encryption
        if encrypted is None or settings is None or settings.read is None:
            return
        from cluster.apiserver.encryption.following import Following

        keys = Following(encrypted, settings.read, self.registry.cache.retry, self._log)
        keeper.spawn(keys.run, "encryption configuration")

    def _keep_up(self, keeper: Supervisor) -> None:
        """Start what looks after the contents of the store."""
        for publisher in publishing.publishers(self.registry, self._chain):
            keeper.spawn(publisher.run, "quotas")
        most = sys.maxsize if self._storage.shared else self._config.history_revisions
        history = compaction.Compaction(self._storage, self._config.compaction_seconds, most)
        keeper.spawn(history.run, "compaction")
        keeper.spawn(lambda: bootstrap.keep(self.registry, self._initial), "kubernetes service")
        if self._advertiser is not None:
            keeper.spawn(self._advertiser.run, "advertising")
        events = expiry.Expiry(self.registry)
        keeper.spawn(lambda: events.run(self._config.event_seconds), "expiry")

    async def _serve_rest(self, stack: AsyncExitStack, keeper: Supervisor) -> None:
        from cluster.apiserver.aggregation.aggregator import Aggregator
        from cluster.apiserver.outbound.caller import HttpCaller
        from cluster.apiserver.protecting import Protected
        from cluster.apiserver.rest.server import RestServer  # late: brings all of aiohttp

        config = self._config
        protected = Protected(config, self.registry, self._clock, self._random)
        stack.enter_context(protected)
        kubelets = GrpcConnector(
            config.kubelet_tls, config.kubelet_addresses, renewed=config.kubelet_tls_renewed
        )
        await stack.enter_async_context(kubelets)
        collector = Collector(self.registry.cache, kubelets)
        self.registry.computed |= metrics.sources(self.registry.cache, collector, self._clock)
        keeper.spawn(collector.run, "usage")
        caller = HttpCaller(self.registry.cache, kubelets, self._random, client=config.proxy_client)
        await stack.enter_async_context(caller)
        self._asking.caller = caller
        converting = Converting(self.registry, caller, self._random)
        self.registry.views.webhooks = converting.converted
        aggregator = Aggregator(self.registry, caller)
        aggregator.open()
        self.registry.paths.aggregated = aggregator
        keeper.spawn(aggregator.run, "aggregator")
        server = RestServer(
            self.registry,
            self.authenticator,
            clock=self._clock,
            random=self._random,
            ssl_context=config.ssl_context,
            host=config.host,
            port=config.port,
            version=config.version,
            checks={"etcd": self._storage_answers} | dict.fromkeys(_STARTED, _done),
            kubelets=kubelets,
            protection=protected.protection,
            pages=protected.pages,
            aggregator=aggregator,
            limits=config.limits,
            refusals=protected.refusals,
        )
        await stack.enter_async_context(server)
        self.port = server.port

    async def _serve_grpc(self, stack: AsyncExitStack, group: tasks.Group) -> None:
        if not self._config.grpc_address:
            return
        face = grpc_face.GrpcFace(self.registry, self.authenticator)
        injector = chaos.Injector(self.registry, self._storage, self._random)
        stack.callback(injector.close)
        keeping = storekeeping.StoreFace(
            self._beneath,
            self._storage,
            self.registry,
            clock=self._clock,
            who=face.user,
            version=self._config.version or schema.NEWEST,
        )

        def listening() -> GrpcServer:
            server = GrpcServer(tls=self._config.grpc_tls, streams=self._config.limits.streams)
            server.add(grpc_face.NAME, grpc_face.register, face)
            faults = chaos.ChaosFace(injector, face.user)
            server.add(chaos.NAME, add_ChaosServicer_to_server, faults)
            server.add(storekeeping.NAME, add_StoreServicer_to_server, keeping)
            self.grpc_port = server.listen(_at(self._config.grpc_address, self.grpc_port))
            return server

        server = listening()
        if self._advertiser is None:
            await stack.enter_async_context(server)
            stack.callback(face.close)
            await server.set_serving(True)
            return
        from cluster.apiserver.retreating import Retreat  # late: few have others

        retreat = Retreat(self._storage, self._advertiser.others, face.close)
        stack.callback(face.close)
        stack.callback(group.spawn(retreat.run(server, listening), "grpc").cancel)
        await retreat.serving.wait()

    async def _storage_answers(self) -> bool:
        await self._storage.check()
        return True


def _at(address: str, port: int) -> str:
    """The address, with the port that was found free for it before, if one was."""
    host, colon, given = address.rpartition(":")
    return f"{host}:{port}" if port and given == "0" and colon else address


_STARTED = (
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
)
"""Checks of what is done before the first request is taken."""


def _done() -> bool:
    return True
