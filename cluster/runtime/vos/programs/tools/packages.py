"""Package managers: there is no package index in an emulated world, and they say so as each does.

The exit code is the real one's for an index that cannot be reached, so `apk add curl && …` stops.
"""

from typing import Final

from cluster.runtime.vos.kernel import Call, Program

_WHY: Final = "no package index: packages are not emulated"


async def apk(call: Call) -> int:
    """`apk add|update|…`."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    what = words[0] if words else ""
    if what in ("add", "update", "upgrade", "fetch", "search"):
        await call.io.stderr.write(f"WARNING: {_WHY}\n".encode())
        if what == "add":
            lines = "".join(f"  {name} (no such package):\n    required by: world[{name}]\n"
                            for name in words[1:])  # fmt: skip
            await call.io.stderr.write(
                f"ERROR: unable to select packages:\n{lines}".encode(errors="replace")
            )
        return max(len(words) - 1, 1)
    if what in ("del", "cache", "info"):
        return 0
    await call.out("apk-tools, emulated: packages cannot be installed\n")
    return 0 if what in ("", "--version") else 1


async def apt(call: Call) -> int:
    """`apt-get update|install|…`."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    what = words[0] if words else ""
    if what == "update":
        text = f"E: The package lists cannot be fetched: {_WHY}\n"
    elif what in ("install", "upgrade", "dist-upgrade"):
        name = words[1] if len(words) > 1 else ""
        text = f"E: Unable to locate package {name}\n" if name else f"E: {_WHY}\n"
    else:
        return 0
    await call.io.stderr.write(text.encode(errors="replace"))
    return 100


async def yum(call: Call) -> int:
    """`yum install …`, `dnf`, `microdnf`, `tdnf`."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    if words[:1] and words[0] in ("install", "update", "makecache", "upgrade"):
        await call.io.stderr.write(
            f"Error: Failed to download metadata for repo: {_WHY}\n".encode()
        )
        return 1
    return 0


PROGRAMS: Final[dict[str, Program]] = {
    "apk": apk, "apt": apt, "apt-get": apt, "yum": yum, "dnf": yum, "microdnf": yum, "tdnf": yum,
}  # fmt: skip
