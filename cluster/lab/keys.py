"""What a lab's API server signs service account tokens with: the same for the same seed."""

import hashlib

from cluster.api.tokens import keys
from cluster.apiserver.authn.serviceaccounts import Issuer, Settings

ROOT_CA = "kubemu lab: there is no TLS here, and nothing to verify.\n"
"""What stands in for the cluster's CA in `kube-root-ca.crt`."""


def issuer(seed: int | str) -> Issuer:
    """An issuer of tokens."""
    # Imported here: it is much, and a world in which nobody signs needs none.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    drawn = int.from_bytes(hashlib.sha256(f"{seed}/service-accounts".encode()).digest()[:31])
    key = ec.derive_private_key(drawn + 1, ec.SECP256R1())
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    signing = keys.signing_key(text)
    return Issuer(Settings(signing), signing)
