"""Who may ask: keys, and where a server without one may listen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..compiler.errors import InputError

__all__ = ["Keys", "keys_of", "loopback"]


class Keys:
    """The keys that open a server. None opens it to whoever is on this machine."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def texts(self) -> tuple[str, ...]:
        """The keys themselves, to be kept out of logs."""
        return tuple(key.decode() for key in self._keys)

    def open_to(self, authorization: str) -> bool:
        """Whether this header holds one of the keys. Takes as long whichever it is."""
        scheme, _, given = authorization.partition(" ")
        sent = given.strip().encode("utf-8", "surrogateescape")
        found = [compare_digest(sent, key) for key in self._keys]
        return not self._keys or (scheme.lower() == "bearer" and any(found))


def keys_of(variable: str | None, host: str) -> Keys:
    """The keys in an environment variable, separated by blanks or commas.

    Raises `InputError` if it is empty, or if a server beyond this machine would have none.
    """
    if variable is None:
        if not loopback(host):
            raise InputError(
                f"--host {host} opens the server to others: name the variable that holds its key "
                "with --key-env"
            )
        return Keys()
    keys = os.environ.get(variable, "").replace(",", " ").split()
    if not keys:
        raise InputError(f"--key-env: {variable} is not set")
    return Keys(keys)


def loopback(host: str) -> bool:
    """Whether a host, or the value of a Host header, is this very machine."""
    name = host if host.count(":") > 1 and "[" not in host else urlsplit(f"//{host}").hostname
    if name == "localhost":
        return True
    try:
        return ip_address(name or "").is_loopback
    except ValueError:
        return False
