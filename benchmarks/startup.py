"""How long the command line and a compiled module take to start: the best of three, in seconds.

python benchmarks/startup.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import polyarch
from polyarch.compiler.emit import EMITTERS
from polyarch.pipelines import names, path

_MAIN = "from polyarch.cli import main; main()"


def best(*command: str, folder: str = ".", times: int = 3) -> float:
    """The shortest wall time of a Python process."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True, cwd=folder)
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Print the times."""
    with TemporaryDirectory() as folder:
        name = names()[0]
        module = EMITTERS["python"](polyarch.load(path(name)).plan)
        Path(folder, "compiled_pipeline.py").write_text(module, encoding="utf-8")
        told = {
            "python, nothing": best("-c", "pass"),
            "polyarch --help": best("-c", _MAIN, "--help"),
            f"polyarch compile {name}": best("-c", _MAIN, "compile", name),
            "polyarch run --help": best("-c", _MAIN, "run", "--help"),
            "import a compiled module": best("-c", "import compiled_pipeline", folder=folder),
        }
    for what, seconds in told.items():
        print(f"{seconds:6.3f}  {what}")


if __name__ == "__main__":
    main()
