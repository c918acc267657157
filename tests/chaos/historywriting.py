"""Histories written as text, a line for each beginning and each end, for tests.

`a: create k v1` begins, `a = ok 5`, `a = fail Conflict`, `a = v1 5` (what a GET saw), `a = lost` or
no end at all end it. `update k v2 @5` has a precondition.
"""

from cluster.chaos.checking.history import Call, History, Seen, Verb


def written(text: str) -> list[Call]:
    """The calls of a history in that notation."""
    history = History()
    under_way: dict[str, int] = {}
    for now, line in enumerate(filter(None, (line.strip() for line in text.splitlines()))):
        client, sign, *words = line.replace(": ", " : ", 1).split()
        if sign == ":":
            expected = int(words.pop()[1:]) if words[-1].startswith("@") else 0
            value = words[2] if len(words) > 2 else ""
            under_way[client] = history.invoke(
                client, Verb(words[0]), words[1], now, value=value, expected=expected
            )
        else:
            _end(history, under_way.pop(client), now, words)
    return history.calls


def _end(history: History, number: int, now: float, words: list[str]) -> None:
    if words[0] == "ok":
        history.ok(number, now, revision=int(words[1]) if len(words) > 1 else 0)
    elif words[0] == "fail":
        history.fail(number, now, words[1])
    elif words[0] == "lost":
        history.fail(number, now, "ServiceUnavailable")
    else:
        seen = Seen(words[0], int(words[1]))
        history.ok(number, now, revision=seen.revision, seen=seen)
