"""Media types by the ends of file names, those that web servers send most."""

from typing import Final

TYPES: Final = {
    "html": "text/html", "htm": "text/html", "shtml": "text/html", "css": "text/css",
    "xml": "text/xml", "gif": "image/gif", "jpeg": "image/jpeg", "jpg": "image/jpeg",
    "js": "application/javascript", "mjs": "application/javascript",
    "atom": "application/atom+xml", "rss": "application/rss+xml", "txt": "text/plain",
    "png": "image/png", "svg": "image/svg+xml", "svgz": "image/svg+xml", "webp": "image/webp",
    "avif": "image/avif", "ico": "image/x-icon", "woff": "font/woff", "woff2": "font/woff2",
    "json": "application/json", "pdf": "application/pdf", "zip": "application/zip",
    "wasm": "application/wasm", "mp3": "audio/mpeg", "mp4": "video/mp4", "webm": "video/webm",
    "jar": "application/java-archive", "gz": "application/octet-stream",
    "bin": "application/octet-stream", "exe": "application/octet-stream",
}  # fmt: skip


def of(name: str, default: str = "application/octet-stream") -> str:
    """The media type of a file name."""
    return TYPES.get(name.rpartition(".")[2].lower(), default) if "." in name else default
