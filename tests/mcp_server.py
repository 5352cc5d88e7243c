"""An MCP server made with the official SDK, run as a process of its own: over its standard input
and output, or over HTTP at the port that it is given."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server import MCPServer

server = MCPServer("stub")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def look_up(name: str) -> dict[str, str]:
    """Look something up."""
    return {"name": name, "note": "${1} stays", "key": os.environ.get("STUB_KEY", "")}


@server.tool()
def fails() -> str:
    """Fail."""
    raise ValueError("it failed on purpose")


@server.tool()
async def waits(seconds: float) -> str:
    """Wait."""
    await asyncio.sleep(seconds)
    return "waited"


@server.tool()
def pid() -> int:
    """The process."""
    return os.getpid()


@server.tool()
def dies(after: int = 0) -> str:
    """End the process in the middle of the call."""
    os._exit(3)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
