"""Authentication: who a certificate, a token or a front proxy says is asking. Both faces use it.

Methods are one a file, asked in kube-apiserver's order: front proxy, certificate, static token,
service account token, bootstrap token; whoever shows nothing is anonymous where that is allowed.
Deciding is synchronous and reads the watch cache alone.
"""

from cluster.apiserver.authn.authenticator import Authenticator, Review, unauthorized
from cluster.apiserver.authn.certificates import Subject
from cluster.apiserver.authn.statictokens import read_tokens

__all__ = ["Authenticator", "Review", "Subject", "read_tokens", "unauthorized"]
