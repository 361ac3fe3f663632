"""AWS Signature Version 4 for two kinds of request: a POST of bytes to a path without a query, and a GET.

"Create a signed AWS API request" in the IAM user guide; held against botocore's own signer in tests/providers/test_ses.py.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Whose key signs, and for which region and service."""

    access_key_id: str
    secret_access_key: str
    region: str
    service: str

    def __repr__(self) -> str:  # neither half of the key
        return f"Credentials(region={self.region!r}, service={self.service!r})"


def signed_headers(
    credentials: Credentials,
    *,
    host: str,
    path: str,
    now: datetime,
    method: str = "POST",
    query: str = "",
    content_type: str = "",
    body: bytes = b"",
) -> Mapping[str, str]:
    """The headers that sign a request made at ``now``: ``authorization`` and ``x-amz-date``. AWS takes them for five minutes.

    ``host`` is what the Host header will say, with the port where it is not the usual one; ``path`` needs no escapes; ``query`` is
    sorted by name and escaped already, all but unreserved characters (RFC 3986); without ``content_type`` none is signed.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{credentials.region}/{credentials.service}/aws4_request"
    signed = {**({"content-type": content_type} if content_type else {}), "host": host, "x-amz-date": stamp}
    names = ";".join(signed)
    request = "\n".join(
        [
            method,
            path,
            query,
            *(f"{name}:{value}" for name, value in signed.items()),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    wanted = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, wanted.encode(), hashlib.sha256).hexdigest()
    return {
        "authorization": f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}",
        "x-amz-date": stamp,
    }
