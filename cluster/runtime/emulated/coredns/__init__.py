"""CoreDNS: `registry.k8s.io/coredns/coredns`, `coredns/coredns`.

`corefile` reads its configuration, `chain` makes plugins of it, `records` and `answering` are what
the kubernetes plugin knows and says (pure), `serving` has the sockets, `program` runs it all.
"""

from cluster.runtime.emulated.image import Image
from cluster.runtime.vos.kernel import Call


async def coredns(call: Call) -> int:
    """`/coredns`."""
    # Imported here: dnslib is much, and few nodes have a name server.
    from cluster.runtime.emulated.coredns import program

    return await program.coredns(call)


IMAGES = (
    Image(
        names=("coredns/coredns", "coredns", "google_containers/coredns",
               "rancher/mirrored-coredns-coredns", "bitnami/coredns", "bitnamilegacy/coredns"),
        entrypoint=("/coredns",),
        user="65532:65532",
        ports=(53,),
        programs={"/coredns": coredns, "coredns": coredns},
        userland=False,
    ),
)  # fmt: skip
