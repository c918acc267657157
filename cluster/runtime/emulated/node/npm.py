"""The program `npm`, as far as it starts the scripts of a package.json; it installs nothing."""

import json

from cluster.runtime.emulated.node.program import is_file
from cluster.runtime.vos.kernel import Call, encoded


async def npm(call: Call) -> int:
    """`npm start`, `npm run NAME`: the script of package.json."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    name = words[1] if len(words) > 1 and words[0] in ("run", "run-script") else "".join(words[:1])
    if name not in ("start", "test") and words[:1] not in (["run"], ["run-script"]):
        await call.io.stderr.write(
            encoded(
                f"npm error `npm {name}` is not built in the emulated npm: only start and run\n"
            )
        )
        return 1
    try:
        about = json.loads(call.files.read(call.path("package.json")))
        script = about.get("scripts", {}).get(name)
    except (OSError, ValueError, AttributeError):
        await call.io.stderr.write(
            b"npm error code ENOENT\nnpm error enoent Could not read package.json\n"
        )
        return 254
    if script is None and name == "start" and is_file(call, call.path("server.js")):
        script = "node server.js"
    if not isinstance(script, str):
        await call.io.stderr.write(encoded(f'npm error Missing script: "{name}"\n'))
        return 1
    title = f"{about.get('name', '')}@{about.get('version', '')}".strip("@")
    await call.out(f"\n> {title} {name}\n> {script}\n\n")
    shell = call.kernel.find("sh")
    if shell is None:
        return 127
    return await shell(Call(["sh", "-c", script], call.process, call.io, call.env, call.cwd))
