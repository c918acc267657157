"""`kube-webhook-certgen`: makes a webhook's certificate, and tells the API of its authority."""

import base64
import json
from collections.abc import Sequence
from typing import Final

from cluster.api import errors, objects
from cluster.client.client import Client
from cluster.runtime.emulated import incluster
from cluster.runtime.vos.kernel import Call, encoded

_WEBHOOKS: Final = "validatingwebhookconfigurations.admissionregistration.k8s.io"
_YEARS: Final = 100


async def certgen(call: Call) -> int:
    """`kube-webhook-certgen create|patch …`."""
    verb = call.argv[1] if len(call.argv) > 1 else ""
    told = _flags(call.argv[2:])
    if verb not in ("create", "patch"):
        return await call.complain("Error: unknown command", 1)
    try:
        async with incluster.client(call, manager="kube-webhook-certgen") as client:
            if verb == "create":
                return await _create(call, client, told)
            return await _patch(call, client, told)
    except (errors.StatusError, incluster.Outside) as error:
        return await _say(call, "fatal", str(error), 1)


async def _create(call: Call, client: Client, told: dict[str, str]) -> int:
    namespace, name = told.get("namespace", ""), told.get("secret-name", "")
    try:
        await client.get("secrets", name, namespace)
    except errors.NotFound:
        await _say(call, "info", "creating new secret")
        data = _made(told.get("host", "").split(","))
        meta = {"name": name, "namespace": namespace}
        await client.create("secrets", {
            "apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque",
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        })  # fmt: skip
        return 0
    return await _say(call, "info", "secret already exists")


async def _patch(call: Call, client: Client, told: dict[str, str]) -> int:
    secret = await client.get("secrets", told.get("secret-name", ""), told.get("namespace", ""))
    authority = (secret.get("data") or {}).get("ca")
    if not authority:
        return await _say(call, "fatal", "got secret, but it did not contain a 'ca' key", 1)
    name = told.get("webhook-name", "")
    if told.get("patch-validating", "true") == "true":
        found = await client.get(_WEBHOOKS, name)
        for one in found.get("webhooks") or ():
            one.setdefault("clientConfig", {})["caBundle"] = authority
            if told.get("patch-failure-policy"):
                one["failurePolicy"] = told["patch-failure-policy"]
        named: objects.Object = {
            **found, "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
        }  # fmt: skip
        await client.update(_WEBHOOKS, named)
    return await _say(call, "info", f"patched webhook configurations {name!r}")


def _flags(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).lstrip("-").partition("=")
        if not equals and rest and not rest[0].startswith("-"):
            value = rest.pop(0)
        found[name] = value if equals or value else "true"
    return found


async def _say(call: Call, level: str, text: str, code: int = 0) -> int:
    line = {"level": level, "msg": text, "source": "cmd/root.go:1"}
    await call.io.stderr.write(encoded(json.dumps(line) + "\n"))
    return code


def _made(hosts: Sequence[str]) -> dict[str, bytes]:
    """`ca`, `cert` and `key`, in PEM. The keys are drawn by the system: nobody else has them."""
    # Imported here: it is made once.
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    begin = datetime.datetime(2000, 1, 1)  # noqa: DTZ001
    end = begin + datetime.timedelta(days=365 * _YEARS)
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "nil1")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "nil2")])
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts if host])
    usual = (
        x509.CertificateBuilder().issuer_name(issuer).not_valid_before(begin).not_valid_after(end)
    )
    root = (
        usual.subject_name(issuer).public_key(authority.public_key()).serial_number(1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority, hashes.SHA256())
    )  # fmt: skip
    leaf = (
        usual.subject_name(subject).public_key(key.public_key()).serial_number(2)
        .add_extension(names, critical=False).sign(authority, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    kind, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return {"ca": root.public_bytes(pem), "cert": leaf.public_bytes(pem),
            "key": key.private_bytes(pem, kind, plain)}  # fmt: skip
