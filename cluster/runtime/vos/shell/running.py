"""Carries out a script's tree.

A pipeline's commands, what runs in the background and what an interactive shell runs are processes
of the kernel; the rest runs in the shell's own. Between two commands the shell looks after signals
that it has traps for, and gives way to others.

It is long because it has a method for each kind of command, all on the state of one shell.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from cluster.runtime.vos import files
from cluster.runtime.vos.kernel import (
    Call,
    Io,
    NotFound,
    Process,
    TooMany,
    decoded,
    encoded,
)
from cluster.runtime.vos.shell import (
    assigning,
    choosing,
    looping,
    parsing,
    passing,
    redirecting,
    shapes,
    syntax,
    testing,
    variables,
)
from cluster.runtime.vos.shell.expansion import MAX_WORD, Expander
from cluster.runtime.vos.shell.state import Break, Exit, Return, State
from cluster.runtime.vos.shell.words import Wrong
from cluster.runtime.vos.streams import Collected, Pipe

MAX_DEPTH: Final = 80
"""How deep commands may stand in each other while they run, function calls included."""
NOT_FOUND: Final = 127
_FATAL: Final = 2

Builtin = Callable[["Shell", Sequence[str], Io], Awaitable[int]]


class Shell:
    """One shell or subshell. `builtins` are the commands that change the shell itself."""

    def __init__(
        self, process: Process, state: State, builtins: Mapping[str, Builtin], depth: int = 0
    ) -> None:
        self.process = process
        self.kernel = process.kernel
        self.state = state
        self.jobs: dict[int, Process] = {}
        self.pending: list[int] = []
        self.foreground: Process | None = None
        self.loops = 0
        self.passed: list[passing.Given] = []
        """Files of `<(…)` and `>(…)` that the command that is being read names."""
        self.options_at = (1, 0)
        self.io = process.io
        self.builtins = builtins
        self._depth = depth
        self._tested = 0
        self._signal: asyncio.Future[None] | None = None
        self.expand = Expander(state, lambda: self.process.files, self._substitute, self._passed)

    # ---- entries -----------------------------------------------------------------------------

    async def run(self, text: str, io: Io) -> int:
        """Run a script to its end, line by line; the exit code. What is wrong with it is told on
        stderr.
        """
        code = 0
        try:
            for line in parsing.lines(text, bash=self.state.bash):
                code = await self.sequence(line, io)
            return code
        except Wrong as wrong:
            return await self.wrong(wrong, io)

    async def top(self, tree: syntax.Sequence_, io: Io) -> int:
        """Run what stands at the top of a script; its status. Exit."""
        try:
            return await self.sequence(tree, io)
        except Wrong as wrong:
            return await self.wrong(wrong, io)
        except Return as returned:
            return returned.code

    async def script(self, text: str, io: Io) -> int:
        """Run a script as the whole of a shell: `exit` ends it, and the EXIT trap runs."""
        try:
            code = await self.run(text, io)
        except Exit as ended:
            code = ended.code
        except (Break, Return):
            code = self.state.status
        return await self.leave(code, io)

    async def leave(self, code: int, io: Io) -> int:
        """Run the EXIT trap; the exit code."""
        last = self.state.traps.pop(0, "")
        if last:
            self.state.status = code
            try:
                await self.run(last, io)
            except Exit as ended:
                return ended.code
        return code

    async def wrong(self, wrong: Wrong, io: Io) -> int:
        """Tell what is wrong, as ash does; the exit code."""
        said = str(wrong)
        syntactic = said.startswith(("unexpected", "unterminated", "here-document"))
        await io.stderr.write(
            encoded(f"{self.state.name}: {'syntax error: ' if syntactic else ''}{said}\n")
        )
        self.state.status = _FATAL
        return _FATAL

    # ---- lists -------------------------------------------------------------------------------

    async def sequence(self, node: syntax.Sequence_, io: Io) -> int:
        """Commands in turn; the status of the last."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Wrong("maximum recursion level exceeded")
        try:
            code = 0 if not node.items else self.state.status
            for item in node.items:
                if self.pending:
                    await self.run_traps(io)
                code = await self._and_or(item, io)
            return code
        finally:
            self._depth -= 1

    def signalled(self, number: int) -> None:
        """A signal came that has a trap."""
        if len(self.pending) < 16:
            self.pending.append(number)
        self._woken()

    async def wait_or_signal(self, job: Process) -> int | None:
        """The exit code of a job; None where a signal with a trap came first."""
        loop = asyncio.get_running_loop()
        self._signal = loop.create_future()
        job.on_end(lambda _code: self._woken())
        try:
            while job.code is None and not self.pending:
                await self._signal
                self._signal = loop.create_future()
        finally:
            self._signal = None
        return job.code if not self.pending else None

    def _woken(self) -> None:
        """A job ended that is waited for."""
        if self._signal is not None and not self._signal.done():
            self._signal.set_result(None)

    async def run_traps(self, io: Io) -> None:
        """Do what is to be done about the signals that came."""
        while self.pending:
            text = self.state.traps.get(self.pending.pop(0), "")
            kept = self.state.status
            if text:
                await self.run(text, io)
            self.state.status = kept

    async def _and_or(self, node: syntax.AndOr, io: Io) -> int:
        if node.background:
            return await self._in_background(node, io)
        code = 0
        last = len(node.steps) - 1
        for number, (joint, pipeline) in enumerate(node.steps):
            if (joint == "&&" and code != 0) or (joint == "||" and code == 0):
                continue
            tested = number < last or pipeline.negated
            self._tested += tested
            try:
                code = await self._pipeline(pipeline, io)
            finally:
                self._tested -= tested
            self.state.status = code
            if code and not tested and not self._tested and self.state.options.get("e"):
                raise Exit(code)
        return code

    async def _in_background(self, node: syntax.AndOr, io: Io) -> int:
        inner = syntax.Sequence_([syntax.AndOr(node.steps)])
        job = await self.fork(shapes.title(node), inner, Io(stdout=io.stdout, stderr=io.stderr))
        if job is None:
            return 1
        self.jobs[job.pid] = job
        self.state.background = job.pid
        self.state.status = 0
        return 0

    async def _pipeline(self, node: syntax.Pipeline, io: Io) -> int:
        if len(node.commands) == 1:
            code = await self.command(node.commands[0], io)
        else:
            code = await self._piped(node.commands, io)
        return int(not code) if node.negated else code

    async def _piped(self, commands: Sequence[syntax.Command], io: Io) -> int:
        jobs: list[Process] = []
        reader = io.stdin
        for number, command in enumerate(commands):
            last = number == len(commands) - 1
            pipe = None if last else Pipe()
            inner = Io(reader, pipe or io.stdout, io.stderr, io.more)
            one = syntax.Sequence_([syntax.AndOr([("", syntax.Pipeline([command]))])])
            job = await self.fork(shapes.named(command), one, inner)
            if job is None:
                break
            _close_at_end(job, reader if number else None, pipe)
            jobs.append(job)
            if pipe is not None:
                reader = pipe
        codes = await self._wait_for(jobs)
        failed = [code for code in codes if code]
        if self.state.options.get("pipefail") and failed:
            return failed[-1]
        return codes[-1] if len(codes) == len(commands) else 1

    async def _wait_for(self, jobs: Sequence[Process]) -> list[int]:
        try:
            return [await job.wait() for job in jobs]
        except BaseException:
            for job in jobs:
                job.signal(9)
            raise

    async def fork(self, argv: Sequence[str], body: syntax.Sequence_, io: Io) -> Process | None:
        """A subshell as a process; None (which is told) where there is no room for one."""
        state, depth = self.state.copy(), self._depth

        async def run(process: Process) -> int:
            shell = Shell(process, state, self.builtins, depth)
            return await shell.subshell(body, io)

        try:
            return self.kernel.fork(argv, io, run, tty=self.process.tty, who=self.process.who)
        except TooMany:
            await io.stderr.write(
                encoded(f"{self.state.name}: can't fork: Resource temporarily unavailable\n")
            )
            return None

    async def subshell(self, body: syntax.Sequence_, io: Io) -> int:
        """Run a list as the whole of a subshell; its exit code."""
        self.io = io
        try:
            code = await self.sequence(body, io)
        except Exit as ended:
            code = ended.code
        except (Break, Return):
            code = self.state.status
        except Wrong as wrong:
            code = await self.wrong(wrong, io)
        return await self.leave(code, io)

    async def child(self, state: State, text: str, io: Io) -> int:
        """Run a script in a shell of its own; its exit code."""
        state.pid = self.state.pid
        variables.give(state, self.process)
        who = self.process.who
        try:
            return await Shell(self.process, state, self.builtins, self._depth).script(text, io)
        finally:
            self.process.who = who  # its umask was its own

    async def _substitute(self, body: syntax.Sequence_) -> str:
        found = Collected(MAX_WORD)
        if self.state.bash and (read := shapes.only_reads(body)) is not None:
            return await self._read(read)
        self.state.status = await self.inside(body, Io(self.io.stdin, found, self.io.stderr))
        return decoded(bytes(found.data)).rstrip("\n").replace("\0", "")

    async def inside(self, body: syntax.Sequence_, io: Io) -> int:
        """Run a subshell that needs no process of its own; its exit code."""
        who, cwd = self.process.who, self.process.cwd
        shell = Shell(self.process, self.state.copy(), self.builtins, self._depth)
        try:
            return await shell.subshell(body, io)
        finally:
            self.process.who = who  # its umask was its own
            self.process.cwd = cwd

    async def _read(self, redirect: syntax.Redirect) -> str:
        """bash's `$(<FILE)`."""
        path = await self.expand.text(redirect.word)
        try:
            data = self.process.files.read(files.absolute(path, self.state.cwd))
        except OSError as error:
            text = f"{self.state.name}: {path}: {error.strerror}\n"
            await self.io.stderr.write(encoded(text))
            self.state.status = 1
            return ""
        return decoded(data[:MAX_WORD]).rstrip("\n").replace("\0", "")

    # ---- commands ----------------------------------------------------------------------------

    async def command(self, node: syntax.Command, io: Io) -> int:
        """Run one command; its status."""
        await self.kernel.step()
        match node:
            case syntax.Simple():
                return await self._simple(node, io)
            case syntax.Redirected():
                inner = node.command
                return await redirecting.applied(
                    self, node.redirects, io, lambda opened: self.command(inner, opened)
                )
            case syntax.Block(body, subshell=True):
                return await self.inside(body, io)
            case syntax.Block(body):
                return await self.sequence(body, io)
            case syntax.Function(name, body):
                self.state.functions[name] = body
                return 0
        return await self._compound(node, io)

    async def _compound(self, node: syntax.Command, io: Io) -> int:
        match node:
            case syntax.If():
                return await self._if(node, io)
            case syntax.Loop():
                return await looping.while_(self, node, io)
            case syntax.For():
                return await looping.for_(self, node, io)
            case syntax.Count():
                return await looping.count(self, node, io)
            case syntax.Calculation():
                return int(not await self.expand.calculated(await self.expand.text(node.word)))
            case syntax.Conditional():
                self.io = io
                return await testing.status(self, node.test, io)
            case syntax.Case():
                return await choosing.case(self, node, io)
            case syntax.Select():
                return await choosing.select(self, node, io)
        raise TypeError(f"no command: {node}")

    async def holds(self, node: syntax.Sequence_, io: Io) -> bool:
        """Whether a condition's commands end well."""
        self._tested += 1
        try:
            return await self.sequence(node, io) == 0
        finally:
            self._tested -= 1

    async def _if(self, node: syntax.If, io: Io) -> int:
        for condition, body in node.branches:
            if await self.holds(condition, io):
                return await self.sequence(body, io)
        return await self.sequence(node.otherwise, io) if node.otherwise else 0

    async def turn(self, body: syntax.Sequence_, io: Io) -> tuple[bool, int]:
        """One turn of a loop: whether the next may follow, and the status."""
        self.loops += 1
        try:
            return True, await self.sequence(body, io)
        except Break as left:
            if left.levels > 1 and self.loops > 1:
                raise Break(left.levels - 1, again=left.again) from None
            return left.again, 0
        finally:
            self.loops -= 1

    async def _passed(self, part: syntax.Passed) -> str:
        return await passing.named(self, part)

    async def _simple(self, node: syntax.Simple, io: Io) -> int:
        self.io = io
        before = self.state.status
        words = [text for word in node.words for text in await self.expand.fields(word)]
        values = [await assigning.evaluated(self.expand, one) for one in node.assignments]
        keyed = any(word[:1] == "-" and "A" in word for word in words[1:])
        declared = [
            await assigning.evaluated(self.expand, one, keyed=keyed) for one in node.declared
        ]
        await self._trace(values, [*words, *(one.shown for one in declared)], io)

        async def run(opened: Io) -> int:
            if declared:
                return await assigning.declared(self, words, declared, opened)
            if words:
                scalars = [(one.name, one.appended(self.state)) for one in values]
                return await self._called(words, scalars, opened)
            for one in values:
                one.apply(self.state)
            # The status is that of a substitution, where there was one.
            return self.state.status if self.state.status != before else 0

        if not self.passed:
            return await redirecting.applied(self, node.redirects, io, run)
        try:
            return await redirecting.applied(self, node.redirects, io, run)
        finally:
            await passing.finish(self, io)

    async def _trace(self, values: Sequence[assigning.Assigned], words: list[str], io: Io) -> None:
        if self.state.options.get("x"):
            shown = [*(one.shown for one in values), *words]
            await io.stderr.write(encoded("+ " + " ".join(shown) + "\n"))

    async def called(self, words: list[str], io: Io) -> int:
        """Run a function, a builtin or a program by its words; its status."""
        return await self._called(words, [], io)

    async def _called(self, words: list[str], values: Sequence[tuple[str, str]], io: Io) -> int:
        name = words[0]
        function = self.state.functions.get(name)
        builtin = self.builtins.get(name)
        if function is None and builtin is None:
            return await self.program(words, io, self.state.environment() | dict(values))
        kept = self.state.saved([key for key, _ in values])
        for key, value in values:
            self.state.put(key, value)
        try:
            if function is not None:
                return await self._function(function, words[1:], io)
            assert builtin is not None
            return await builtin(self, words, io)
        finally:
            self.state.restore(kept)

    async def _function(self, body: syntax.Command, arguments: list[str], io: Io) -> int:
        kept, self.state.positional = self.state.positional, arguments
        loops, self.loops = self.loops, 0
        self._depth += 1
        self.state.enter()
        try:
            return await self.command(body, io)
        except Return as returned:
            return returned.code
        finally:
            self._depth -= 1
            self.state.leave()
            self.state.positional, self.loops = kept, loops

    async def program(self, words: Sequence[str], io: Io, environment: Mapping[str, str]) -> int:
        """Run a program, in this shell's process; its exit code."""
        if "/" in words[0] and self.kernel.find(words[0]) is None:
            return await redirecting.file_as_program(self, words, io)
        program = self.kernel.find(words[0])
        if program is None:
            why = "command not found" if self.state.bash else "not found"
            await io.stderr.write(encoded(f"{self.state.name}: {words[0]}: {why}\n"))
            return NOT_FOUND
        call = Call(words, self.process, io, environment, self.state.cwd)
        kept, self.process.doing = self.process.doing, words
        try:
            return await program(call) & 0xFF
        except NotFound:
            return NOT_FOUND
        finally:
            self.process.doing = kept


def _close_at_end(job: Process, reader: object, pipe: Pipe | None) -> None:
    """Let a stage's neighbours know when it has ended."""

    def ended(_code: int) -> None:
        if isinstance(reader, Pipe):
            reader.break_()
        if pipe is not None:
            pipe.end()

    job.on_end(ended)
