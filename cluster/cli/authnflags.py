"""The API server's flags of authentication, as kube-apiserver has them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cluster.api.tokens import keys
from cluster.apiserver.authn import requestheader, serviceaccounts
from cluster.cli import connection, flags
from cluster.cli.flags import BOOLEAN, DURATION, LIST

_OPTIONS = (
    flags.option(
        "token-auth-file", "Static tokens: lines token,user,uid,groups.", connection.FILE
    ),
    flags.option(
        "anonymous-auth",
        "Let requests without credentials be system:anonymous, whom RBAC may allow little.",
        BOOLEAN, default="true",
    ),
    flags.option(
        "enable-bootstrap-token-auth", "Take tokens of bootstrap secrets of kube-system.",
        BOOLEAN, default="false",
    ),
    flags.option(
        "service-account-signing-key-file",
        "Private key that service account tokens are signed with; without it there are none.",
        connection.FILE,
    ),
    flags.option(
        "service-account-key-file",
        "Further keys whose tokens are taken, several in a file or several files.",
        connection.FILE, multiple=True,
    ),
    flags.option(
        "service-account-issuer", "Who issues tokens; further ones are taken, not issued.",
        LIST, default=serviceaccounts.ISSUER,
    ),
    flags.option(
        "api-audiences", "Whom tokens for this API name; left out: its issuers.", LIST,
    ),
    flags.option(
        "service-account-max-token-expiration", "The longest life of a token; 0: no bound.",
        DURATION, default="0s",
    ),
    flags.option(
        "service-account-extend-token-expiration",
        "Let the tokens of pods live a year, for clients that never read them again.",
        BOOLEAN, default="true",
    ),
    flags.option(
        "requestheader-allowed-names",
        "Common names of the certificates of front proxies; left out: there is none.", LIST,
    ),
    flags.option(
        "requestheader-username-headers", "Headers by which a front proxy tells the user.",
        LIST, default="X-Remote-User",
    ),
    flags.option(
        "requestheader-group-headers", "Headers by which it tells the groups.",
        LIST, default="X-Remote-Group",
    ),
    flags.option(
        "requestheader-extra-headers-prefix", "Prefix of headers by which it tells more.",
        LIST, default="X-Remote-Extra-",
    ),
)  # fmt: skip


options = flags.together(_OPTIONS)
"""A decorator: the flags."""


def from_flags(values: dict[str, Any]) -> dict[str, Any]:
    """The Config's fields, out of `values`. click.UsageError."""
    return {
        "tokens": _tokens(values.pop("token_auth_file")),
        "anonymous": values.pop("anonymous_auth"),
        "bootstrap_tokens": values.pop("enable_bootstrap_token_auth"),
        "service_accounts": _service_accounts(values),
        "proxy": _proxy(values),
    }


def _tokens(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    from cluster.apiserver import authn

    try:
        return authn.read_tokens(path.read_text())
    except ValueError as error:
        raise click.UsageError(f"--token-auth-file {path}: {error}") from error


def _service_accounts(values: dict[str, Any]) -> serviceaccounts.Settings:
    signing = values.pop("service_account_signing_key_file")
    files = values.pop("service_account_key_file")
    key = _read(keys.signing_key, signing, "signing-key-file") if signing else None
    public = [key for file in files for key in _read(keys.public_keys, file, "key-file")]
    return flags.checked(
        serviceaccounts.Settings,
        signing=key,
        keys=tuple(public),
        issuers=values.pop("service_account_issuer"),
        audiences=values.pop("api_audiences") or (),
        longest=int(values.pop("service_account_max_token_expiration")),
        extend=values.pop("service_account_extend_token_expiration"),
    )


def _read(parse: Callable[[bytes], Any], path: Path, flag: str) -> Any:
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--service-account-{flag} {path}: {error}") from error


def _proxy(values: dict[str, Any]) -> requestheader.RequestHeader | None:
    names = values.pop("requestheader_allowed_names")
    said = [
        values.pop(f"requestheader_{name}")
        for name in ("username_headers", "group_headers", "extra_headers_prefix")
    ]
    return (
        flags.checked(
            requestheader.RequestHeader,
            allowed_names=names,
            username=said[0],
            group=said[1],
            extra_prefix=said[2],
        )
        if names
        else None
    )
