"""Events as they happen: a vote that stops as soon as it is decided."""

import asyncio

from polyarch import Event
from polyarch.pipelines import adaptive_consistency

QUESTION = "Eva has 30 pens. Eva loses 12. Eva buys 5 more. How many pens does Eva have?"


async def main() -> None:
    start = 0.0
    async for told in adaptive_consistency.stream(QUESTION):
        if isinstance(told, Event):
            start = start or told.at
            if told.what in ("asked", "made", "closed", "ended"):
                place = f"{told.step}[{told.place}]" if told.place >= 0 else told.step
                shown = {k: v for k, v in told.data.items() if k in ("draws", "answer", "read")}
                print(f"{told.at - start:6.2f} s  {told.what:7} {place:12} {shown or ''}")
        else:
            print(f"\n{told} ({told.stopped}, of 40; {told.unread.calls} draws not needed)")
    await adaptive_consistency.aclose()


asyncio.run(main())
