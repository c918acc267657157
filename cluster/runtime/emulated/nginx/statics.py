"""Files, indexes and listings of directories, as nginx answers them."""

import posixpath
from typing import NamedTuple

from cluster.runtime.emulated.nginx import pages, responding
from cluster.runtime.emulated.nginx.exchange import Exchange, Fault
from cluster.runtime.emulated.nginx.logs import Logs
from cluster.runtime.emulated.nginx.rewriting import Rules
from cluster.runtime.emulated.web import files
from cluster.runtime.emulated.web.messages import Headers, Request, Response
from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.nodes import File, Folder


class Elsewhere(NamedTuple):
    """An index: what is asked for inside. `whole`: it is a target, which may have a query."""

    uri: str
    whole: bool


class Statics:
    """Answers by the files of a container."""

    def __init__(self, tree: FileSystem, logs: Logs, rules: Rules) -> None:
        self._tree = tree
        self._logs = logs
        self._rules = rules

    async def answer(self, exchange: Exchange) -> Response | Elsewhere:
        """A file, or what a directory has for it. Fault."""
        if exchange.method not in ("GET", "HEAD"):
            raise Fault(405)
        path = exchange.path or exchange.file()
        if exchange.uri.endswith("/"):
            return await self._folder(exchange, path)
        try:
            node = self._tree.find(path)
            if isinstance(node, File):
                node = self._tree.open(path)
        except OSError as error:
            raise await self._unreadable(exchange, path, error) from error
        if isinstance(node, Folder):
            raise responding.moved(exchange, exchange.uri + "/")
        if not isinstance(node, File):
            raise Fault(404)
        kind = responding.kind_of(exchange.settings, path)
        asked = exchange.request if not exchange.error_status else Request("GET", "/")
        exact = exchange.settings.modified_since != "before"
        response = files.answer(asked, node, kind, exact=exact)
        if response.status >= 400:
            raise Fault(response.status, [("Content-Range", response.headers.get("content-range"))]
                        if response.status == 416 else ())  # fmt: skip
        if not exchange.settings.etag:
            response.headers.drop("etag")
        return response

    async def _unreadable(self, exchange: Exchange, path: str, error: OSError) -> Fault:
        status = 403 if isinstance(error, PermissionError) else 404
        if exchange.settings.log_not_found or status != 404:
            await self._logs.error(
                "error", f'open() "{path}" failed ({error.errno}: {error.strerror})', exchange
            )
        return Fault(status)

    async def _folder(self, exchange: Exchange, path: str) -> Response | Elsewhere:
        """The index of a directory, or a listing of it. Fault."""
        index = self._index(exchange, path)
        if index is not None:
            return index
        if not self._tree.is_folder(path.rstrip("/") or "/"):
            shown = posixpath.join(path, "index.html")
            await self._logs.error(
                "error", f'"{shown}" is not found (2: No such file or directory)', exchange
            )
            raise Fault(404)
        if not exchange.settings.autoindex:
            await self._logs.error("error", f'directory index of "{path}" is forbidden', exchange)
            raise Fault(403)
        kind = responding.with_charset(exchange.settings, "text/html")
        return Response(200, Headers([("Content-Type", kind)]), self._listing(exchange.uri, path))

    def _index(self, exchange: Exchange, path: str) -> Elsewhere | None:
        """What is asked for instead of a directory; None where there is nothing."""
        words = exchange.settings.index
        for name in [word.of(exchange.look) for word in words] if words else ["index.html"]:
            if name.startswith("/"):
                return Elsewhere(name, whole=True)
            if self._rules.there(posixpath.join(path, name), "f"):
                return Elsewhere(posixpath.join(exchange.uri, name), whole=False)
        return None

    def _listing(self, uri: str, path: str) -> bytes:
        entries = []
        for name in self._tree.names(path.rstrip("/") or "/"):
            if name.startswith("."):
                continue
            try:
                node = self._tree.find(posixpath.join(path, name))
            except OSError:
                continue
            size = node.size if isinstance(node, File) else 0
            entries.append(pages.Entry(name, isinstance(node, Folder), size, node.mtime))
        return pages.listing(uri, entries)
