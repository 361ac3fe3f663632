"""DKIM signatures (RFC 6376, 8301, 8463) for messages that we hand over whole."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime

SIGNED = (
    "from", "to", "subject", "date", "message-id", "reply-to", "list-id", "list-unsubscribe", "list-unsubscribe-post",
    "archived-at", "content-language", "mime-version", "content-type",
)  # fmt: skip
"""In this order. RFC 8058 section 3.1 wants both List-Unsubscribe fields covered before a mail program offers the button."""

OVERSIGNED = ("from", "to", "subject", "date", "message-id")
"""Named once more than they occur, so that a second one breaks the signature (RFC 6376 section 8.15)."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
_BLANKS = re.compile(rb"[ \t]+")
_RSA_AT_LEAST = 1024  # bits; RFC 8301 section 3.2 asks signers for 2048


class Signer:
    """Signs for one domain under one selector, ``relaxed/relaxed``. Safe from several threads."""

    def __init__(self, *, domain: str, selector: str, private_key: str) -> None:
        """``private_key`` is PEM without a password, RSA or Ed25519. ValueError when one of them is unusable."""
        if not _NAME.fullmatch(domain) or not _NAME.fullmatch(selector):
            raise ValueError("dkim_domain or dkim_selector is not a name in the DNS")
        self.domain, self.selector = domain.lower(), selector
        self._algorithm, self._signature, self.public_key = _private_key(private_key)
        #: ``public_key`` is what the record in the DNS must have as ``p=``.

    def __repr__(self) -> str:  # no key
        return f"Signer(domain={self.domain!r}, selector={self.selector!r})"

    def sign(self, head: bytes, body_digest: bytes, now: datetime) -> bytes:
        """The field DKIM-Signature, folded and with its CRLF, to stand before ``head``.

        ``head`` is the message's header with CRLF, each field once; ``body_digest`` comes from ``digest_of_body``.
        """
        fields = _fields(head)
        names = [name for name in SIGNED if name in fields]
        named = [*names, *(name for name in OVERSIGNED if name in fields)]
        listed = ":\r\n  ".join(_lines_of(named))
        unsigned = (
            f" v=1; a={self._algorithm}; c=relaxed/relaxed; d={self.domain};\r\n s={self.selector}; t={int(now.timestamp())};\r\n"
            f" h={listed};\r\n bh={base64.b64encode(body_digest).decode()};\r\n b="
        )
        covered = b"".join(b"%s:%s\r\n" % (name.encode(), fields[name]) for name in names)
        # Section 3.7: the field itself comes last, with an empty b= and without its CRLF.
        covered += b"dkim-signature:" + _relaxed(unsigned.encode())
        signature = base64.b64encode(self._signature(covered)).decode()
        pieces = "\r\n  ".join(signature[at : at + 72] for at in range(0, len(signature), 72))
        return f"DKIM-Signature:{unsigned}{pieces}\r\n".encode()


def digest_of_body(body: bytes) -> bytes:
    """SHA-256 of a body with CRLF, ``relaxed`` (RFC 6376 section 3.4.4): the same for all readers of an edition."""
    lines = [_BLANKS.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    whole = b"\r\n".join(lines).rstrip(b"\r\n")
    return hashlib.sha256(whole + b"\r\n" if whole else b"").digest()


def _fields(head: bytes) -> dict[str, bytes]:
    """Every field by its lower-case name, its value ``relaxed`` (section 3.4.2)."""
    unfolded = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    pairs = (line.partition(b":") for line in unfolded.split(b"\r\n") if line)
    return {name.decode().lower(): _relaxed(value) for name, _, value in pairs}


def _relaxed(value: bytes) -> bytes:
    return _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")


def _lines_of(names: Sequence[str]) -> list[str]:
    """The names with colons between them, four to a line."""
    return [":".join(names[at : at + 4]) for at in range(0, len(names), 4)]


def _private_key(pem: str) -> tuple[str, Callable[[bytes], bytes], str]:
    """The algorithm's name in a signature, what signs, and the public key as a record in the DNS shows it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("dkim_key is not a private key in PEM without a password") from None
    if isinstance(key, Ed25519PrivateKey):
        # RFC 8463 section 3: what is signed is the digest.
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)  # section 4
        return "ed25519-sha256", lambda covered: key.sign(hashlib.sha256(covered).digest()), base64.b64encode(public).decode()
    if isinstance(key, RSAPrivateKey) and key.key_size >= _RSA_AT_LEAST:
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # RFC 6376 section 3.6.1
        return "rsa-sha256", lambda covered: key.sign(covered, PKCS1v15(), hashes.SHA256()), base64.b64encode(public).decode()
    raise ValueError(f"dkim_key is neither RSA of at least {_RSA_AT_LEAST} bits nor Ed25519")
