"""Who may call: access tokens, signatures and the origins of web pages.

Access tokens: onebot11.md section 1.4; signatures: section 1.5. Origins: a web page, also by way of
DNS rebinding, must not be able to drive a loopback server that has no token (design.md promise 8).
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from onebridge.errors import UnauthorizedError

_SCHEMES = frozenset({"bearer", "token"})


def check_token(expected: str, authorization: str | None, query_token: str | None) -> None:
    """Refuse a request that does not carry the access token.

    Args:
        expected: The token; empty means that none is needed.
        authorization: The ``Authorization`` header; ``Bearer`` and ``Token`` count, in any case.
        query_token: ``access_token`` of the query.

    Raises:
        UnauthorizedError: None was given, or neither is right.
    """
    if not expected:
        return
    given = [token for token in (_header_token(authorization), query_token) if token]
    if not given:
        raise UnauthorizedError("the access token", missing=True)
    wanted = expected.encode()
    # Every one is compared, so that the time taken does not tell which was close.
    matches = [hmac.compare_digest(_raw(token), wanted) for token in given]
    if not any(matches):
        raise UnauthorizedError("the access token", missing=False)


def sign(secret: str, body: bytes) -> str:
    """``X-Signature`` of an event that is posted: over the very bytes sent, lower case."""
    return "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


def refuse_origin(
    headers: Mapping[str, str],
    allowed_origins: Sequence[str],
    host: str,
    *,
    has_token: bool,
) -> str | None:
    """Why a request may not be served because of the page it comes from; None if it may.

    Programs send neither ``Origin`` nor ``Sec-Fetch-Site``, or an ``Origin`` that is the address
    they dialled; browsers cannot leave them out or forge them.

    Args:
        headers: The request's headers.
        allowed_origins: Origins of the configuration; ``*`` allows all.
        host: Name or address that the server was told to listen on.
        has_token: Whether the request carries the right access token: then the name it was sent to
            does not matter, since a page that was rebound to us does not know the token.
    """
    origin = headers.get("Origin", "")
    if "*" in allowed_origins or allows_origin(allowed_origins, origin):
        return None
    addressed = headers.get("Host", "")
    if not has_token and addressed and not _is_own_name(addressed, host, allowed_origins):
        return (
            f"the host name {addressed} is not known here; add http://{addressed} to "
            "server.allowed_origins, or set server.access_token and send it"
        )
    if origin and _address(origin) != addressed.lower():
        return f"pages of {origin} may not call; add it to server.allowed_origins"
    if headers.get("Sec-Fetch-Site", "").lower() in ("cross-site", "same-site"):
        return "pages of other sites may not call; see server.allowed_origins"
    return None


def allows_origin(allowed_origins: Sequence[str], origin: str) -> bool:
    """Whether the configuration names an origin, or all of them."""
    named = {_plain_origin(allowed) for allowed in allowed_origins}
    return bool(origin) and ("*" in named or _plain_origin(origin) in named)


def _plain_origin(origin: str) -> str:
    return origin.rstrip("/").lower()


def _header_token(authorization: str | None) -> str | None:
    if authorization is None:
        return None
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() in _SCHEMES else None


def _raw(token: str) -> bytes:
    return token.encode("utf-8", "surrogateescape")


def _is_own_name(addressed: str, host: str, allowed_origins: Sequence[str]) -> bool:
    """Whether ``Host`` is a name that only this machine, or its operator, gives to this server.

    An address is no name, so it cannot have been rebound.
    """
    name = _host_name(addressed)
    if name in ("localhost", host.lower()) or name.endswith(".localhost"):
        return True
    if name in {_host_name(_address(origin)) for origin in allowed_origins}:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _address(origin: str) -> str:
    """``host:port`` of an origin."""
    return origin.partition("://")[2].rstrip("/").lower()


def _host_name(netloc: str) -> str:
    """``Host`` without its port, in lower case; IPv6 addresses without brackets."""
    lowered = netloc.lower()
    if lowered.startswith("["):
        return lowered[1:].partition("]")[0]
    return lowered.partition(":")[0].rstrip(".")
