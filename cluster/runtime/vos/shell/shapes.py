"""What is seen of a script's tree from outside: how `ps` shows it, and one special form."""

from collections.abc import Sequence

from cluster.runtime.vos.shell import syntax


def only_reads(body: syntax.Sequence_) -> syntax.Redirect | None:
    """The redirection of a list that is nothing else."""
    if len(body.items) != 1 or len(body.items[0].steps) != 1:
        return None
    commands = body.items[0].steps[0][1].commands
    first = commands[0]
    if len(commands) != 1 or not isinstance(first, syntax.Simple):
        return None
    plain = not first.words and not first.assignments and len(first.redirects) == 1
    return first.redirects[0] if plain and first.redirects[0].operator == "<" else None


def title(node: syntax.AndOr) -> Sequence[str]:
    """What `ps` shows of a job."""
    return named(node.steps[0][1].commands[0])


def named(command: syntax.Command) -> Sequence[str]:
    """What `ps` shows of a command."""
    if isinstance(command, syntax.Simple) and command.words:
        return [word.literal or "…" for word in command.words]
    return ["sh"]
