"""Serve a pipeline and ask it with OpenAI's own client: pip install openai 'polyarch[serve]'."""

import subprocess
import sys
from pathlib import Path

import openai

QUESTION = "Eva has 30 pens. Eva loses 12. Eva buys 5 more. How many pens does Eva have?"
CHAT = [{"role": "user", "content": QUESTION}]

command = [
    Path(sys.executable).with_name("polyarch"),
    "serve",
    "verified_vote",
    "--port",
    "0",
    "-q",
]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
    url = server.stdout.readline().rsplit(" ", 1)[-1].strip()
    with openai.OpenAI(base_url=url, api_key="none") as client:
        told = client.chat.completions.create(
            model="verified_vote",
            messages=CHAT,
            seed=7,
            extra_body={"polyarch": {"budget": {"calls": 60}}},
        )
        print(told.choices[0].message.content)
        print(f"answer {told.polyarch['answer']}, {told.polyarch['calls']} calls, {told.usage}")

        for chunk in client.chat.completions.create(
            model="verified_vote", messages=CHAT, stream=True
        ):
            print(chunk.choices[0].delta.content or "", end="", flush=True)
        print()
    server.terminate()
