"""How a definition says that its versions are converted: spec.conversion.

Paths are those of Kubernetes' internal form: `spec.conversion.webhookClientConfig`.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from cluster.api import causes, errors, metadata
from cluster.api.objects import Object

Causes = Iterator[errors.Cause]

_PATH: Final = "spec.conversion"
_STRATEGIES: Final = ("None", "Webhook")
REVIEW_VERSIONS: Final = ("v1", "v1beta1")
"""The versions of ConversionReview that Kubernetes knows."""


def check(said: Object, *, preserving: bool) -> Causes:
    """What is wrong with spec.conversion."""
    strategy = said.get("strategy") or ""
    if not said:
        return
    if strategy != "None" and preserving:
        why = "must be None if spec.preserveUnknownFields is true"
        yield causes.invalid(f"{_PATH}.strategy", strategy, why)
    if not strategy:
        yield causes.required(f"{_PATH}.strategy")
    elif strategy not in _STRATEGIES:
        yield causes.not_supported(f"{_PATH}.strategy", strategy, _STRATEGIES)
    webhook = said.get("webhook") or {}
    if strategy == "Webhook":
        yield from _client(webhook.get("clientConfig"))
        yield from _review_versions(webhook.get("conversionReviewVersions") or [])
        return
    why = "should not be set when strategy is not set to Webhook"
    if webhook.get("clientConfig") is not None:
        yield causes.forbidden(f"{_PATH}.webhookClientConfig", why)
    if webhook.get("conversionReviewVersions"):
        yield causes.forbidden(f"{_PATH}.conversionReviewVersions", why)


def _client(config: Object | None) -> Causes:
    path = f"{_PATH}.webhookClientConfig"
    if config is None:
        yield causes.required(path, "required when strategy is set to Webhook")
        return
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield causes.required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from check_url(url, f"{path}.url")
    elif service is not None:
        yield from check_service(service, f"{path}.service")
    bundle = config.get("caBundle")
    if bundle:
        yield from check_bundle(bundle, f"{path}.caBundle")


def check_url(text: str, path: str) -> Causes:
    """What is wrong with the URL of a webhook (ValidateWebhookURL of k8s.io/apiserver)."""
    form = "; desired format: https://host[/path]"
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError as error:
        yield causes.required(path, f"url must be a valid URL: {error}{form}")
        return
    if url.scheme != "https":
        why = f"'https' is the only allowed URL scheme{form}"
        yield causes.invalid(path, url.scheme, why)
    if not url.netloc:
        yield causes.invalid(path, url.netloc, f"host must be specified{form}")
    if url.username is not None or url.password is not None:
        yield causes.invalid(path, url.username, "user information is not permitted in the URL")
    if url.fragment:
        yield causes.invalid(path, url.fragment, "fragments are not permitted in the URL")
    if url.query:
        yield causes.invalid(path, url.query, "query parameters are not permitted in the URL")


def check_service(service: Object, path: str) -> Causes:
    """What is wrong with the service of a webhook (ValidateWebhookService)."""
    for field in ("name", "namespace"):
        if not service.get(field):
            yield causes.required(f"{path}.{field}", f"service {field} is required")
    port = service.get("port")
    if port is not None and not 1 <= port <= 65535:
        why = "port is not valid: must be between 1 and 65535, inclusive"
        yield causes.invalid(f"{path}.port", port, why)
    text = service.get("path")
    if text is None or text == "/":
        return
    where = f"{path}.path"
    if not text.startswith("/"):
        yield causes.invalid(where, text, "must start with a '/'")
        return
    segments = text.removesuffix("/").split("/")[1:] if text else []
    for index, segment in enumerate(segments):
        if not segment:
            yield causes.invalid(where, text, f"segment[{index}] may not be empty")
        for told in metadata.dns1123_subdomain(segment) if segment else ():
            yield causes.invalid(where, text, f"segment[{index}]: {told}")


def check_bundle(text: Any, path: str) -> Causes:
    """What is wrong with a bundle of certificates, base64 (ValidateCABundle)."""
    from cryptography import x509  # late: slow to load

    try:
        found = x509.load_pem_x509_certificates(b64decode(text))
    except (ValueError, binascii.Error):
        found = []
    if not found:
        why = "unable to load root certificates: unable to parse bytes as PEM block"
        yield causes.invalid(path, text, why)


def _review_versions(versions: list[str]) -> Causes:
    path = f"{_PATH}.conversionReviewVersions"
    if not versions:
        yield causes.required(path)
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield causes.invalid(f"{path}[{index}]", version, "duplicate version")
            continue
        for told in metadata.dns1035_label(version):
            yield causes.invalid(f"{path}[{index}]", version, told)
    if not {*versions} & {*REVIEW_VERSIONS}:
        why = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        yield causes.invalid(path, versions, why)
