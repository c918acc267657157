"""Images of clients and of tools to look at a network with: curl, and boxes of many tools."""

from typing import Final

from cluster.runtime.emulated import bindtools
from cluster.runtime.emulated.image import Image
from cluster.runtime.vos.kernel import Call


async def entrypoint(call: Call) -> int:
    """`/entrypoint.sh WORD…` of curl's image: a program of that name, or else curl's arguments."""
    words = list(call.argv[1:]) or ["curl"]
    program = None if words[0].startswith("-") else call.kernel.find(words[0])
    if program is None:
        # Imported here, for with it all of the userland is.
        from cluster.runtime.vos.programs.network.curl import curl

        program = curl
        words.insert(0, "curl")
    return await program(Call(words, call.process, call.io, call.env, call.cwd))


IMAGES: Final = (
    Image(
        names=("curlimages/curl", "curl/curl"), entrypoint=("/entrypoint.sh",), cmd=("curl",),
        user="curl_user", working_dir="/home/curl_user",
        files={"/home/curl_user/": ""}, programs={"/entrypoint.sh": entrypoint},
    ),
    Image(names=("alpine/curl", "appropriate/curl", "byrnedo/alpine-curl"), entrypoint=("curl",)),
    Image(names=("radial/busyboxplus", "tutum/curl"), cmd=("/bin/sh",)),
    Image(
        names=("nicolaka/netshoot", "tutum/dnsutils", "giantswarm/tiny-tools",
               "arunvelsriram/utils", "e2e-test-images/jessie-dnsutils",
               "kubernetes-e2e-test-images/jessie-dnsutils",
               "kubernetes-e2e-test-images/dnsutils", "infoblox/dnstools",
               "wbitt/network-multitool", "praqma/network-multitool"),
        cmd=("/bin/sh",), programs=bindtools.PROGRAMS,
    ),
    Image(names=("library/buildpack-deps",), cmd=("bash",)),
)  # fmt: skip
