"""`/docker-entrypoint.sh` of the nginx image: scripts and templates, before nginx itself."""

import posixpath
import re
from collections.abc import Mapping
from typing import Final

from cluster.runtime.emulated.nginx import files as image
from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.kernel import Call, decoded, encoded
from cluster.runtime.vos.nodes import File

_FOLDER: Final = "/docker-entrypoint.d"
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_LISTENS: Final = "10-listen-on-ipv6-by-default.sh"
_RESOLVERS: Final = "15-local-resolvers.envsh"
_TEMPLATES: Final = "20-envsubst-on-templates.sh"
_WORKERS: Final = "30-tune-worker-processes.sh"
OWN: Final = (_LISTENS, _RESOLVERS, _TEMPLATES, _WORKERS)
_MAX_TEMPLATES: Final = 200


async def prepare(call: Call) -> None:
    """What is done before nginx starts."""
    say = _Speaker(call)
    await say(f"/docker-entrypoint.sh: {_FOLDER}/ is not empty, will attempt to perform "
              "configuration")  # fmt: skip
    await say(f"/docker-entrypoint.sh: Looking for shell scripts in {_FOLDER}/")
    tree = call.files
    names = set(OWN) | set(tree.names(_FOLDER) if tree.is_folder(_FOLDER) else ())
    for name in sorted(names):
        path = posixpath.join(_FOLDER, name)
        if name.endswith(".envsh"):
            await say(f"/docker-entrypoint.sh: Sourcing {path}")
        elif not name.endswith(".sh"):
            await say(f"/docker-entrypoint.sh: Ignoring {path}")
        elif name in OWN:
            await say(f"/docker-entrypoint.sh: Launching {path}")
            await _own(call, name, say)
        elif tree.find(path).mode & 0o111:
            await say(f"/docker-entrypoint.sh: Launching {path}")
            await _run(call, path)
        else:
            await say(f"/docker-entrypoint.sh: Ignoring {path}, not executable")
    await say("/docker-entrypoint.sh: Configuration complete; ready for start up")


class _Speaker:
    """Writes lines, unless told to be quiet."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._quiet = bool(call.env.get("NGINX_ENTRYPOINT_QUIET_LOGS"))

    async def __call__(self, line: str) -> None:
        if not self._quiet:
            await self._call.out(line + "\n")


async def _own(call: Call, name: str, say: _Speaker) -> None:
    if name == _LISTENS:
        await _listens(call, say)
    elif name == _TEMPLATES:
        await _templates(call, say)


async def _run(call: Call, path: str) -> None:
    program = call.kernel.find("sh")
    if program is not None:
        await program(Call(["sh", path], call.process, call.io, call.env, call.cwd))


async def _listens(call: Call, say: _Speaker) -> None:
    path, tree = "/etc/nginx/conf.d/default.conf", call.files
    me = f"{_LISTENS}: info:"
    try:
        found = tree.find(path)
    except OSError:
        await say(f"{me} {path} is not a file or does not exist")
        return
    if not isinstance(found, File) or not tree.writable(path):
        await say(f"{me} can not modify {path} (read-only file system?)")
        return
    text = decoded(found.content())
    if "listen  [::]:80;" in text:
        await say(f"{me} IPv6 listen already enabled")
        return
    await say(f"{me} Getting the checksum of {path}")
    if text != image.DEFAULT:
        await say(f"{me} {path} differs from the packaged version")
        return
    changed = text.replace("listen       80;", "listen       80;\n    listen  [::]:80;", 1)
    tree.put(path, encoded(changed))
    await say(f"{me} Enabled listen on IPv6 in {path}")


async def _templates(call: Call, say: _Speaker) -> None:
    env, tree = call.env, call.files
    source = env.get("NGINX_ENVSUBST_TEMPLATE_DIR") or "/etc/nginx/templates"
    suffix = env.get("NGINX_ENVSUBST_TEMPLATE_SUFFIX") or ".template"
    target = env.get("NGINX_ENVSUBST_OUTPUT_DIR") or "/etc/nginx/conf.d"
    if not tree.is_folder(source):
        return
    if not tree.is_folder(target) or not tree.writable(target):
        await say(f"{_TEMPLATES}: ERROR: {source} exists, but {target} is not writable")
        return
    only = re.compile(env["NGINX_ENVSUBST_FILTER"]) if _simple(env) else None
    values = {name: value for name, value in env.items() if only is None or only.search(name)}
    for path in _files(tree, source)[:_MAX_TEMPLATES]:
        if not path.endswith(suffix):
            continue
        output = posixpath.join(target, path[len(source) :].lstrip("/").removesuffix(suffix))
        await say(f"{_TEMPLATES}: Running envsubst on {path} to {output}")
        tree.make_folders(posixpath.dirname(output))
        tree.put(output, encoded(substituted(decoded(tree.read(path)), values)))


def _simple(env: Mapping[str, str]) -> bool:
    """Whether the filter is one that Python's engine takes without risk: words and `^$|`."""
    return re.fullmatch(r"[\w^$|]{1,500}", env.get("NGINX_ENVSUBST_FILTER", "")) is not None


def _files(tree: FileSystem, folder: str) -> list[str]:
    found: list[str] = []
    for name in tree.names(folder):
        path = posixpath.join(folder, name)
        if tree.is_folder(path):
            # What a ConfigMap keeps behind its links is no second template.
            found += [] if name.startswith("..") else _files(tree, path)
        elif tree.exists(path):
            found.append(path)
    return found


def substituted(text: str, values: Mapping[str, str]) -> str:
    """`envsubst`: `$NAME` and `${NAME}` of those that are given; the rest is left alone."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match[1] or match[2])
        return match[0] if found is None else found

    return _VARIABLE.sub(value, text)
