import subprocess
import sys

import pytest

from polyarch.compiler.emit import EMITTERS


def test_every_name_is_found():
    assert list(EMITTERS) == ["table", "json", "python", "mermaid", "dot", "svg"]
    assert len(EMITTERS) == 6
    assert all(callable(emit) for emit in EMITTERS.values())


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError):
        EMITTERS["literals"]
    assert "lints" not in EMITTERS


def test_the_mapping_imports_no_emitter():
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, polyarch.compiler.emit as e; list(e.EMITTERS);"
            "print([m for m in sys.modules if m.startswith('polyarch.compiler.emit.')])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"
