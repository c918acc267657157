"""Who asks: a request's certificate, its token, or what a trusted proxy says of it."""

import math
import ssl
from typing import Any

from aiohttp import web

from cluster.api import identity
from cluster.apiserver import authn
from cluster.apiserver.authn import certificates


class Asking:
    """Finds the users of requests. A certificate is looked at once for each connection."""

    def __init__(self, authenticator: authn.Authenticator) -> None:
        self._authenticator = authenticator
        self._certified: dict[object, tuple[identity.User | None, float]] = {}

    def user(self, http: web.BaseRequest) -> identity.User:
        """The user: the certificate, which TLS has checked, tells; else the token does.

        errors.Unauthorized.
        """
        known = self._authenticator
        if known.proxy is not None:
            told = known.proxy.user(_common_name(http), http.headers)
            if told is not None:
                known.check_time(_until(http))
                return told
        connection = http.protocol
        try:
            user, until = self._certified[connection]
        except KeyError:
            user, until = self._by_certificate(http), _until(http)
            if http.transport is not None:  # else the connection is lost, and `forget` came before
                self._certified[connection] = user, until
        if user is None:
            return known.by_header(http.headers.get("Authorization"))
        known.check_time(until)
        return user

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


def _until(http: web.BaseRequest) -> float:
    """When the certificate of a connection ends, in seconds since the epoch."""
    certificate = _certificate(http)
    if not certificate or "notAfter" not in certificate:
        return math.inf
    return float(ssl.cert_time_to_seconds(certificate["notAfter"]))


def _certificate(http: web.BaseRequest) -> dict[str, Any]:
    transport = http.transport
    found = transport.get_extra_info("peercert") if transport is not None else None
    return found or {}


def _subject(http: web.BaseRequest) -> certificates.Subject:
    subject: certificates.Subject = _certificate(http).get("subject", ())
    return subject


def _common_name(http: web.BaseRequest) -> str:
    return certificates.common_name(_subject(http))
