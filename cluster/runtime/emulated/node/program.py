"""The program `node`: finds the script that its command line means, and runs it."""

import json
import posixpath
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from cluster.aio import tasks
from cluster.runtime.emulated import releases
from cluster.runtime.emulated.node import running
from cluster.runtime.emulated.web.messages import PHRASES
from cluster.runtime.javascript import scripts
from cluster.runtime.javascript.engine import Missing, Overrun
from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.kernel import Call, encoded
from cluster.runtime.vos.nodes import File

VERSION: Final = "20.19.5"
_MAX_FILE: Final = 256 << 10
_MAX_FILES: Final = 4 << 20
_MAX_NUMBER: Final = 2000
_MAX_STDIN: Final = 1 << 20
_SKIPPED: Final = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/proc", "/sys",
                   "/dev", "/lib")  # fmt: skip
_UNBUILT: Final = (
    "net", "tls", "https", "http2", "dns", "dgram", "crypto", "zlib", "stream", "child_process",
    "cluster", "worker_threads", "readline", "repl", "vm", "v8", "perf_hooks", "async_hooks",
    "string_decoder", "tty", "inspector", "module", "diagnostics_channel", "stream/promises",
)  # fmt: skip


def version(tag: str) -> str:
    """The version of Node that an image's tag means: `20-alpine`, `18.19.0`, `latest`."""
    return releases.version(tag, VERSION, releases.NODE)


def _files(tree: FileSystem, first: str) -> dict[str, str]:
    """The files that a script may read while it runs: those of its own folder first, then all
    others but programs and devices, as far as there is room.
    """
    found: dict[str, str] = {}
    room = _MAX_FILES
    queue = deque(dict.fromkeys((first, "/")))
    while queue and room > 0 and len(found) < _MAX_NUMBER:
        folder = queue.popleft()
        try:
            inside = tree.names(folder)
        except OSError:
            continue
        for name in inside:
            path = posixpath.join(folder, name)
            if path in _SKIPPED or path in found:
                continue
            try:
                node = tree.find(path)
                if not isinstance(node, File):
                    queue.append(path)
                elif node.size <= min(_MAX_FILE, room):
                    found[path] = node.content().decode("latin-1")
                    room -= node.size + len(path)
            except OSError:
                continue
    return found


async def node(call: Call) -> int:
    """`node FILE [ARG…]`, `node -e CODE`, `node -v`; `node` and `node -` run what stdin has."""
    words = list(call.argv[1:])
    number = version(call.kernel.image_tag)
    code: str | None = None
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word in ("-v", "--version"):
            await call.out(f"v{number}\n")
            return 0
        if word in ("-e", "--eval", "-p", "--print") and words:
            code = words.pop(0)
            code = f"console.log(eval({json.dumps(code)}))" if word in ("-p", "--print") else code
            break
    if code is None and words[:1] in ([], ["-"]):
        if call.process.tty is not None and call.io.stdin is call.process.tty and not words:
            return await call.complain("a prompt is not built in the emulated node: name a script")
        code = await _typed(call)
        if code is None:
            return await call.complain(f"a script from stdin has {_MAX_STDIN} bytes at most")
    main = "" if code is not None else call.path(words[0])
    if code is None:
        found = next((one for one in (main, f"{main}.js", posixpath.join(main, "index.js"))
                      if is_file(call, one)), "")  # fmt: skip
        if not found:
            await call.io.stderr.write(encoded(
                "node:internal/modules/cjs/loader\n  throw err;\n  ^\n\nError: Cannot find module "
                f"'{main}'\n  code: 'MODULE_NOT_FOUND',\n  requireStack: []\n\nNode.js v{number}\n"
            ))  # fmt: skip
            return 1
        main = found
    return await _run(call, main, code, words)


async def _typed(call: Call) -> str | None:
    """The script that stdin has; None where it is too long."""
    found = bytearray()
    while data := await call.io.stdin.read():
        found += data
        if len(found) > _MAX_STDIN:
            return None
    return found.decode(errors="replace")


def is_file(call: Call, path: str) -> bool:
    """Whether there is one in the container."""
    try:
        return isinstance(call.files.find(path), File)
    except OSError:
        return False


async def _run(call: Call, main: str, source: str | None, words: Sequence[str]) -> int:
    kernel = call.kernel
    number = version(kernel.image_tag)
    argv = ["/usr/local/bin/node", *([main, *words[1:]] if source is None else words)]
    first = posixpath.dirname(main) or call.cwd
    given: dict[str, Any] = {
        "files": _files(call.files, first if first != "/" else call.cwd), "main": main,
        "code": source, "argv": argv, "env": dict(call.env), "cwd": call.cwd, "uid": 0,
        "pid": call.process.pid, "version": f"v{number}",
        "hostname": kernel.hostname,
        "addresses": list(call.net.addresses), "now": kernel.clock.now(), "unbuilt": _UNBUILT,
        "statuses": {str(status): words for status, words in PHRASES.items()},
    }  # fmt: skip
    if main and main not in given["files"]:
        given["files"][main] = call.files.read(main).decode("latin-1")
    try:
        script = await scripts.begin(given)
    except Missing:
        return await call.complain(
            "there is no JavaScript engine: install the extra `node` (pip install kubemu[node])"
        )
    except Overrun as overrun:
        await call.io.stderr.write(encoded(f"FATAL ERROR: {overrun}\n"))
        return running.ABORTED
    async with tasks.Group("node") as group:
        try:
            code = await running.Node(call, script, group, main=main, version=number).run()
        finally:
            script.close()
            group.cancel()
    return code
