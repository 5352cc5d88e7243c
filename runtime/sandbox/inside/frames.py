"""Messages between the processes of a test: their length, then their bytes."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes longer to import than all else here
if TYPE_CHECKING:
    from _socket import socket

__all__ = ["LONGEST", "received", "send"]

LONGEST = 16 << 20
"""Bytes of one message, at most."""


def send(channel: socket, message: bytes) -> None:
    """Send one message. Raises `OSError` when nobody is there."""
    channel.sendall(len(message).to_bytes(4, "big") + message)


def received(channel: socket) -> bytes | None:
    """The next message; None when the other side is gone, or sends no message."""
    head = _exactly(channel, 4)
    length = int.from_bytes(head, "big") if head else LONGEST + 1
    return _exactly(channel, length) if length <= LONGEST else None


def _exactly(channel: socket, length: int) -> bytes | None:
    parts = []
    while length:
        try:
            part = channel.recv(min(length, 1 << 18))
        except OSError:
            return None
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
