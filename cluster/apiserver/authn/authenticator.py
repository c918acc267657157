"""Who asks: each method of authentication in turn. See the package's docstring for the order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cluster.api import errors, identity
from cluster.apiserver.authn import certificates
from cluster.apiserver.authn.bootstraptokens import BootstrapTokens
from cluster.apiserver.authn.certificates import Certificates, Subject
from cluster.apiserver.authn.requestheader import RequestHeader
from cluster.apiserver.authn.serviceaccounts import Refused, ServiceAccounts
from cluster.apiserver.authn.statictokens import StaticTokens

INVALID = "invalid bearer token"


@dataclass(frozen=True, slots=True)
class Review:
    """What a TokenReview answers: `user` None where nobody is known, and `error` says why.

    `audiences` are those that the token and the question have in common; () where the token is
    of a kind that knows none.
    """

    user: identity.User | None
    audiences: tuple[str, ...] = ()
    error: str = ""


def unauthorized() -> errors.Unauthorized:
    """What somebody unknown is told."""
    return errors.Unauthorized("Unauthorized")


class Authenticator:
    """Knows users by certificate and by token (`tokens`: static ones, and their users).

    With `anonymous`, who shows no credentials at all is `system:anonymous`; a credential that is
    wrong is refused all the same.
    """

    def __init__(
        self,
        tokens: Mapping[str, identity.User] | None = None,
        *,
        service_accounts: ServiceAccounts | None = None,
        bootstrap: BootstrapTokens | None = None,
        proxy: RequestHeader | None = None,
        anonymous: bool = False,
        now: Callable[[], float] | None = None,
    ) -> None:
        """`now` is the wall time: with it, certificates end during a connection, too."""
        self._static = StaticTokens(tokens or {})
        self._service_accounts = service_accounts
        self._bootstrap = bootstrap
        self._certificates = Certificates()
        self._now = now
        self.proxy = proxy
        self.anonymous = anonymous

    def by_header(self, authorization: str | None) -> identity.User:
        """The user of `Bearer TOKEN`; of nothing like it, the anonymous. errors.Unauthorized."""
        token = bearer(authorization) if authorization else ""
        if token:
            found = self.review(token).user
            if found is not None:
                return found
        elif self.anonymous:
            return identity.ANONYMOUS
        raise unauthorized()

    def review(self, token: str, audiences: Sequence[str] = ()) -> Review:
        """Whose token it is, for one of `audiences` (none: the API server's own). Never raises."""
        user = self._static.user(token)
        if user is not None:
            return Review(user)
        why = INVALID
        if self._service_accounts is not None and token.count(".") == 2:
            try:
                known = self._service_accounts.verify(token, audiences)
            except Refused as refusal:
                why = f"[{INVALID}, {refusal}]"
            else:
                return Review(known.user, known.audiences)
        if self._bootstrap is not None:
            user = self._bootstrap.user(token)
            if user is not None:
                return Review(user)
        return Review(None, error=why)

    def by_certificate(self, subject: Subject, der: bytes = b"") -> identity.User | None:
        """The user of a peer's subject, as the ssl module tells it; None where it names nobody."""
        return certificates.by_subject(subject, der)

    def by_pem(self, certificate: bytes) -> identity.User | None:
        """The user of a certificate in PEM, as gRPC tells it; None where it names nobody.

        errors.Unauthorized where it has ended since the connection began.
        """
        user, until = self._certificates.by_pem(certificate)
        self.check_time(until)
        return user

    def check_time(self, until: float) -> None:
        """errors.Unauthorized where a certificate that was good until then is shown."""
        if self._now is not None and self._now() > until:
            raise unauthorized()


def bearer(authorization: str) -> str:
    """The token of an Authorization header, "" where it holds none."""
    parts = authorization.strip().split(" ", 2)
    return parts[1] if len(parts) > 1 and parts[0].lower() == "bearer" else ""
