"""Admission of connections (exec, attach, portforward, proxy): nothing is stored, all is asked.

Source: ConnectResource in k8s.io/apiserver/pkg/endpoints/handlers/rest.go.
"""

from random import Random

from cluster.aio.clock import Clock
from cluster.api import errors, identity, schema
from cluster.api.objects import Object
from cluster.api.operations import Operation, Verb
from cluster.api.resources import Resource
from cluster.apiserver import outside
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.authz.modes import Built
from cluster.apiserver.outside import Answers
from cluster.apiserver.plan import Call
from cluster.apiserver.views import Views
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.writeround import Note


class Connections:
    """Asks the admission plugins of a registry whether a connection may be made."""

    def __init__(
        self,
        chain: Chain,
        cache: WatchCache,
        views: Views,
        *,
        clock: Clock,
        random: Random,
        version: str = "",
        authz: Built | None = None,
    ) -> None:
        self._chain = chain
        self._cache = cache
        self._views = views
        self._clock = clock
        self._random = random
        self._version = version or schema.NEWEST
        self._authz = authz

    async def admitted(
        self,
        row: Resource,
        place: tuple[str, str, str],
        user: identity.User,
        options: Object,
        note: Note | None = None,
    ) -> Object:
        """The options of a connection, as plugins leave them. errors.StatusError.

        `place` is namespace, name and subresource; `options` are of a kind of core/v1.
        """
        kind = Resource("", "v1", str(options["kind"]), row.plural)
        now, seed = self._clock.now(), self._random.random()
        answers = Answers()
        while True:
            call = self._call(row, place, user, now, seed)
            call.answers = answers
            obj = dict(options)
            try:
                self._ask(Request(Act.CONNECT, call, obj, kind=kind), note)
            except outside.Ask as ask:
                if len(answers) >= outside.ROUNDS:
                    why = f"{row.id} asks too many questions of webhooks"
                    raise errors.InternalError(f"Internal error occurred: {why}") from None
                answers.put(ask.key, await ask.question())
            except errors.StatusError as error:
                error.warnings = tuple(call.warnings)
                raise
            else:
                return obj

    def _ask(self, request: Request, note: Note | None) -> None:
        try:
            self._chain.mutate(request)
            self._chain.validate(request)
        finally:
            request.call.settle()
            if note is not None and request.call.notes is not None:
                for key, value in request.call.notes.items():
                    note(0, key, value)

    def _call(
        self,
        row: Resource,
        place: tuple[str, str, str],
        user: identity.User,
        now: float,
        seed: float,
    ) -> Call:
        namespace, name, subresource = place
        return Call(
            Operation(Verb.CREATE, row.id, namespace, name, subresource, version=row.version),
            row,
            self._views.stored(row),
            user,
            now,
            Random(seed),  # noqa: S311  (repeats)
            self._cache,
            self._views,
            self._version,
            authz=self._authz,
        )
