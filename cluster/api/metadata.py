"""Names, labels, annotations and the rest of ObjectMeta: what values they may have.

Rules and messages: k8s.io/apimachinery/pkg/util/validation and pkg/api/validation/objectmeta.go.
A function about one value gives the complaints about it (none: it is good); a function about
metadata gives errors.Causes.
"""

import re
from functools import lru_cache
from typing import Final

DNS1123_LABEL_LENGTH: Final = 63
DNS1123_SUBDOMAIN_LENGTH: Final = 253
LABEL_VALUE_LENGTH: Final = 63

_LABEL_FORM: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_FORM: Final = rf"{_LABEL_FORM}(\.{_LABEL_FORM})*"
_DNS1035_FORM: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED_FORM: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE_FORM: Final = f"({_QUALIFIED_FORM})?"
_LABEL: Final = re.compile(_LABEL_FORM)
_SUBDOMAIN: Final = re.compile(_SUBDOMAIN_FORM)
_DNS1035: Final = re.compile(_DNS1035_FORM)
_QUALIFIED: Final = re.compile(_QUALIFIED_FORM)
_LABEL_VALUE: Final = re.compile(_LABEL_VALUE_FORM)

_WILDCARD_FORM: Final = rf"\*\.{_SUBDOMAIN_FORM}"
_WILDCARD: Final = re.compile(_WILDCARD_FORM)
_C_IDENTIFIER_FORM: Final = "[A-Za-z_][A-Za-z0-9_]*"
_C_IDENTIFIER: Final = re.compile(_C_IDENTIFIER_FORM)

_LABEL_MESSAGE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character"
)
_SUBDOMAIN_MESSAGE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_DNS1035_MESSAGE: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character"
)
_WILDCARD_MESSAGE: Final = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
    "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
    "character"
)
_C_IDENTIFIER_MESSAGE: Final = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "
    "alphanumeric characters or '_'"
)
_QUALIFIED_MESSAGE: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character"
)
_LABEL_VALUE_MESSAGE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character"
)

Complaints = tuple[str, ...]


@lru_cache(4096)
def path_segment(text: str) -> Complaints:
    """Whether `text` can stand in a path (IsValidPathSegmentName)."""
    if text in (".", ".."):
        return (f"may not be '{text}'",)
    return tuple(f"may not contain '{letter}'" for letter in "/%" if letter in text)


@lru_cache(4096)
def dns1123_label(text: str) -> Complaints:
    """Whether `text` is a DNS-1123 label (`web-0`)."""
    found = _long(text, DNS1123_LABEL_LENGTH)
    if _LABEL.fullmatch(text):
        return found
    if _SUBDOMAIN.fullmatch(text):
        return (*found, "must not contain dots")
    return (*found, _regex(_LABEL_MESSAGE, _LABEL_FORM, "my-name", "123-abc"))


def dns1123_subdomain(text: str) -> Complaints:
    """Whether `text` is a DNS-1123 subdomain (`web-0.example`)."""
    return _long(text, DNS1123_SUBDOMAIN_LENGTH) + _form(
        _SUBDOMAIN, text, _SUBDOMAIN_MESSAGE, _SUBDOMAIN_FORM, "example.com"
    )


def dns1035_label(text: str) -> Complaints:
    """Whether `text` is a DNS-1035 label: as 1123, but starting with a letter."""
    return _long(text, DNS1123_LABEL_LENGTH) + _form(
        _DNS1035, text, _DNS1035_MESSAGE, _DNS1035_FORM, "my-name", "abc-123"
    )


def wildcard_subdomain(text: str) -> Complaints:
    """Whether `text` is a DNS-1123 subdomain with a wildcard before it (`*.example.com`)."""
    return _long(text, DNS1123_SUBDOMAIN_LENGTH) + _form(
        _WILDCARD, text, _WILDCARD_MESSAGE, _WILDCARD_FORM, "*.example.com"
    )


def c_identifier(text: str) -> Complaints:
    """Whether `text` is an identifier as C has them."""
    return _form(
        _C_IDENTIFIER, text, _C_IDENTIFIER_MESSAGE, _C_IDENTIFIER_FORM, "my_name", "MY_NAME",
        "MyName",
    )  # fmt: skip


@lru_cache(8192)
def qualified_name(text: str) -> Complaints:
    """Whether `text` is a label key, annotation key (in lower case) or resource name."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        return (
            "a qualified name "
            + _regex(_QUALIFIED_MESSAGE, _QUALIFIED_FORM, "MyName", "my.name", "123-abc")
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    found: Complaints = ()
    if slash and not prefix:
        found = ("prefix part must be non-empty",)
    elif slash:
        found = tuple(f"prefix part {text}" for text in dns1123_subdomain(prefix))
    if not name:
        found += ("name part must be non-empty",)
    found += tuple(f"name part {text}" for text in _long(name, DNS1123_LABEL_LENGTH))
    if _QUALIFIED.fullmatch(name) is None:
        message = _regex(_QUALIFIED_MESSAGE, _QUALIFIED_FORM, "MyName", "my.name", "123-abc")
        found += (f"name part {message}",)
    return found


@lru_cache(8192)
def label_value(text: str) -> Complaints:
    """Whether `text` may be the value of a label."""
    return _long(text, LABEL_VALUE_LENGTH) + _form(
        _LABEL_VALUE, text, _LABEL_VALUE_MESSAGE, _LABEL_VALUE_FORM, "MyValue", "my_value", "12345"
    )


def _form(pattern: re.Pattern[str], text: str, message: str, form: str, *like: str) -> Complaints:
    return () if pattern.fullmatch(text) else (_regex(message, form, *like),)


def _regex(message: str, form: str, *like: str) -> str:
    # The two spaces after each comma but the last are Kubernetes' own.
    examples = " or ".join(f"'{example}', " for example in like)
    return f"{message} (e.g. {examples}regex used for validation is '{form}')"


def _long(text: str, limit: int) -> Complaints:
    return (f"must be no more than {limit} bytes",) if len(text.encode()) > limit else ()
