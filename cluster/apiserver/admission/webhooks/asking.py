"""The way to webhooks: questions that planning raises, awaited by the writer."""

import asyncio
import hashlib
from collections.abc import Sequence
from random import Random

import structlog

from cluster.aio import tasks
from cluster.api import errors, objectmeta
from cluster.api.objects import Object
from cluster.apiserver import codec
from cluster.apiserver.admission.webhooks import review
from cluster.apiserver.admission.webhooks.hook import Hook
from cluster.apiserver.admission.webhooks.review import Unusable, Verdict
from cluster.apiserver.outbound.protocol import Caller, Nobody, Unreachable
from cluster.apiserver.outside import Answers

REQUEST_SECONDS = 60.0
"""How long all webhooks of one request may take together: request-timeout of kube-apiserver."""
_STARTED = "the time of the loop when the first webhook was asked"


class Asking:
    """Asks webhooks by way of `caller`, which whoever has one sets."""

    def __init__(self, caller: Caller | None = None, random: Random | None = None) -> None:
        self.caller: Caller = caller if caller is not None else Nobody()
        self._random = random if random is not None else Random("webhooks")  # noqa: S311
        self._log = structlog.get_logger().bind(component="apiserver")

    def one(
        self, answers: Answers, hook: Hook, request: Object, about: object, *, mutating: bool
    ) -> Verdict:
        """What a webhook says. `about` tells apart the times it is asked. outside.Ask."""
        (found,) = self.all(answers, ((hook, request),), about, mutating=mutating)
        return found

    def all(
        self,
        answers: Answers,
        asked: Sequence[tuple[Hook, Object]],
        about: object,
        *,
        mutating: bool,
    ) -> Sequence[Verdict]:
        """What several webhooks say, who are asked at once. outside.Ask."""
        digest = hashlib.sha256()
        for _, request in asked:
            digest.update(codec.document(request))
        key = ("webhooks", about, tuple(hook.key for hook, _ in asked), digest.digest())

        async def question() -> Sequence[Verdict]:
            return await self._ask_all(answers, asked, mutating=mutating)

        found: Sequence[Verdict] = answers.of(key, question)
        return found

    async def _ask_all(
        self, answers: Answers, asked: Sequence[tuple[Hook, Object]], *, mutating: bool
    ) -> Sequence[Verdict]:
        left = _left(answers)
        if len(asked) == 1:
            hook, request = asked[0]
            return (await self._ask(hook, request, left, mutating=mutating),)
        async with tasks.Group("webhooks") as group:
            found = [
                group.spawn(self._ask(hook, request, left, mutating=mutating), hook.name)
                for hook, request in asked
            ]
        return [each.result() for each in found]

    async def _ask(self, hook: Hook, request: Object, left: float, *, mutating: bool) -> Verdict:
        try:
            return await self._asked(hook, request, left, mutating=mutating)
        except Unusable as error:
            self._log.warning(
                "failed calling webhook",
                webhook=hook.name,
                configuration=hook.configuration,
                open=not hook.fails,
                error=str(error),
            )
            return Verdict(failure=f'failed calling webhook "{hook.name}": {error}')

    async def _asked(self, hook: Hook, request: Object, left: float, *, mutating: bool) -> Verdict:
        if not hook.version:
            why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)"
            raise Unusable(f"could not create admission objects: {why}")
        uid = objectmeta.new_uid(self._random)
        try:
            outgoing = hook.outgoing(review.review(hook.version, uid, request))
        except ValueError as error:
            raise Unusable(str(error)) from None
        seconds = min(float(hook.seconds), left)
        try:
            async with asyncio.timeout(seconds + 1):
                answer = await self.caller.call(outgoing, seconds)
        except Unreachable as error:
            raise Unusable(f"failed to call webhook: {error}") from None
        except TimeoutError:
            why = f'Post "{outgoing.shown}": context deadline exceeded'
            raise Unusable(f"failed to call webhook: {why}") from None
        return review.verdict(hook.version, uid, answer, mutating=mutating)


def _left(answers: Answers) -> float:
    """Seconds that the request still has. errors.Timeout."""
    now = asyncio.get_running_loop().time()
    started: float = answers.noted(_STARTED, now)
    left = started + REQUEST_SECONDS - now
    if left <= 0:
        raise errors.Timeout("Timeout: request did not complete within requested timeout")
    return left
