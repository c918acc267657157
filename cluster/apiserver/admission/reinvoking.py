"""What plugins that ask others for changes remember between two rounds: who is to be asked again.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/mutating/reinvocationcontext.go.
"""

import copy
from typing import Any

from cluster.api.objects import Object
from cluster.apiserver.admission.plugin import Request, Rounds


class Memory:
    """Of one plugin, for one request. `again`: this is the second round."""

    __slots__ = ("_output", "_reinvoke", "_request", "_rounds", "_seen")

    def __init__(self, request: Request, rounds: Rounds) -> None:
        self._request = request
        self._rounds = rounds
        self._seen: dict[Any, None] = {}
        self._reinvoke: dict[Any, None] = {}
        self._output: Object | None = None

    @property
    def again(self) -> bool:
        """Whether this is the second round."""
        return self._rounds.again

    def begin(self) -> None:
        """A round begins: what other plugins have changed concerns all who were asked before."""
        if self.again and self._output != self._request.object:
            self._reinvoke |= self._seen

    def wanted(self, key: Any) -> bool:
        """Whether to ask in this round; nobody is asked for the first time in the second."""
        return not self.again or key in self._reinvoke

    def asked(self, key: Any, *, changed: bool, again: bool) -> None:
        """Somebody was asked, who wants to be asked `again`, and may have changed the object."""
        if changed:
            self._reinvoke |= self._seen
            self._rounds.wanted = True
        if again:
            self._seen[key] = None

    def end(self) -> None:
        """The round is over."""
        if self._seen and not self.again:
            self._output = copy.deepcopy(self._request.object)


def memory(request: Request, plugin: str) -> Memory:
    """What a plugin remembers of a request."""
    if request.rounds is None:
        request.rounds = Rounds()
    rounds = request.rounds
    found: Memory | None = rounds.kept.get(plugin)
    if found is None:
        found = rounds.kept[plugin] = Memory(request, rounds)
    return found
