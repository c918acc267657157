"""Who asks: a request's certificate, its token, or what a trusted proxy says of it."""

from aiohttp import web

from cluster.api import identity
from cluster.apiserver import authn
from cluster.apiserver.authn import certificates


class Asking:
    """Finds the users of requests. A certificate is looked at once for each connection."""

    def __init__(self, authenticator: authn.Authenticator) -> None:
        self._authenticator = authenticator
        self._certified: dict[object, identity.User | None] = {}

    def user(self, http: web.BaseRequest) -> identity.User:
        """The user: the certificate, which TLS has checked, tells; else the token does.

        errors.Unauthorized.
        """
        known = self._authenticator
        if known.proxy is not None:
            told = known.proxy.user(_common_name(http), http.headers)
            if told is not None:
                return told
        connection = http.protocol
        try:
            user = self._certified[connection]
        except KeyError:
            user = self._by_certificate(http)
            if http.transport is not None:  # else the connection is lost, and `forget` came before
                self._certified[connection] = user
        return user if user is not None else known.by_header(http.headers.get("Authorization"))

    def forget(self, connection: object) -> None:
        """A connection is lost."""
        self._certified.pop(connection, None)

    def _by_certificate(self, http: web.BaseRequest) -> identity.User | None:
        subject = _subject(http)
        if not subject or http.transport is None:
            return None
        tls = http.transport.get_extra_info("ssl_object")
        der = tls.getpeercert(True) if tls is not None else b""
        return self._authenticator.by_certificate(subject, der or b"")


def _subject(http: web.BaseRequest) -> certificates.Subject:
    transport = http.transport
    certificate = transport.get_extra_info("peercert") if transport is not None else None
    return certificate["subject"] if certificate else ()


def _common_name(http: web.BaseRequest) -> str:
    return certificates.common_name(_subject(http))
