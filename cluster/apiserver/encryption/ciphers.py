"""The ciphers of encryption at rest, byte for byte as Kubernetes stores them.

Source: k8s.io/apiserver/pkg/storage/value/encrypt. Each takes what the value belongs to (its
storage key) as `context`; AES-GCM alone binds the ciphertext to it, as there.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import ciphers as blocks
    from cryptography.hazmat.primitives.ciphers import modes

Entropy = Callable[[int], bytes]

PREFIX: Final = b"k8s:enc:"
AES_LENGTHS: Final = (16, 24, 32)
SECRETBOX_LENGTHS: Final = (32,)
_NONCE: Final = 12
_BLOCK: Final = 16
_SECRETBOX_NONCE: Final = 24


class Undecipherable(Exception):
    """A stored value cannot be turned into plain text; the message says why."""


class Cipher(Protocol):
    """Makes stored bytes of plain ones and back."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """The ciphertext, without the prefix that names the key."""
        ...

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The plain text. Undecipherable."""
        ...


class AesGcm:
    """`aesgcm`: a nonce of 12 bytes, then ciphertext and tag; the context is authenticated."""

    def __init__(self, key: bytes, entropy: Entropy = os.urandom) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)
        self._entropy = entropy

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """See `Cipher.seal`."""
        nonce = self._entropy(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """See `Cipher.open`."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except (InvalidTag, ValueError):
            raise Undecipherable("cipher: message authentication failed") from None


class AesCbc:
    """`aescbc`: an initialization vector of 16 bytes, then blocks padded by PKCS #7."""

    def __init__(self, key: bytes, entropy: Entropy = os.urandom) -> None:
        from cryptography.hazmat.primitives.ciphers.algorithms import AES

        self._algorithm = AES(key)
        self._entropy = entropy

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """See `Cipher.seal`."""
        vector = self._entropy(_BLOCK)
        short = _BLOCK - len(plain) % _BLOCK
        encryptor = self._mode(vector).encryptor()
        return bytes(vector + encryptor.update(plain + bytes([short]) * short))

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """See `Cipher.open`."""
        if len(sealed) < 2 * _BLOCK or len(sealed) % _BLOCK:
            raise Undecipherable("the stored data is not a multiple of the block size")
        decryptor = self._mode(sealed[:_BLOCK]).decryptor()
        padded = bytes(decryptor.update(sealed[_BLOCK:]))
        short = padded[-1]
        if not 1 <= short <= _BLOCK or padded[-short:] != bytes([short]) * short:
            raise Undecipherable("invalid padding on input")
        return padded[:-short]

    def _mode(self, vector: bytes) -> "blocks.Cipher[modes.CBC]":
        from cryptography.hazmat.primitives import ciphers as blocks
        from cryptography.hazmat.primitives.ciphers import modes

        return blocks.Cipher(self._algorithm, modes.CBC(vector))


class Secretbox:
    """`secretbox`: XSalsa20 and Poly1305, a nonce of 24 bytes before the box."""

    def __init__(self, key: bytes, entropy: Entropy = os.urandom) -> None:
        from nacl.secret import SecretBox

        self._box = SecretBox(key)
        self._entropy = entropy

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """See `Cipher.seal`."""
        return bytes(self._box.encrypt(plain, self._entropy(_SECRETBOX_NONCE)))

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """See `Cipher.open`."""
        from nacl.exceptions import CryptoError

        try:
            return bytes(self._box.decrypt(sealed))
        except (CryptoError, ValueError):
            raise Undecipherable("value could not be decrypted") from None


class Identity:
    """`identity`: plain text, as it is without encryption."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """See `Cipher.seal`."""
        return plain

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """See `Cipher.open`."""
        if sealed.startswith(PREFIX):
            raise Undecipherable("identity transformer tried to read encrypted data")
        return sealed
