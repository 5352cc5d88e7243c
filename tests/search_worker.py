"""A process that searches, and writes down every draw that it pays for; it may be killed."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path

from searched import Counting, said, search

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script
from polyarch.search.record import Limits


def main(out: str, study: str, workers: str, calls: str, log: str) -> None:
    paid = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def reply(request: Request, draw: Draw) -> Script:
        whole = repr((request.purpose, request.messages, request.temperature, draw.number))
        os.write(paid, f"{sha256(whole.encode()).hexdigest()}\n".encode())
        return Script(str(said(request, draw)), latency=0.01)

    found = search(
        Path(out),
        Counting(reply).backend,
        limits=Limits(calls=int(calls)),
        workers=int(workers),
        study=study,
        concurrency=4,
        trials=None,
    )
    print(found.calls)


if __name__ == "__main__":
    main(*sys.argv[1:])
