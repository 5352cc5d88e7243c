"""A model's files on this machine: a folder, or what the Hugging Face cache holds. No network."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

__all__ = ["context_of", "folder_of", "state_of"]


def folder_of(model: str, revision: str | None = None) -> Path | None:
    """The folder of a model: itself, or its snapshot in the cache; None if it is not here."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    kept = _cache() / f"models--{model.replace('/', '--')}"
    wanted = revision or "main"
    ref = kept / "refs" / wanted
    try:
        commit = ref.read_text().strip() if ref.is_file() else wanted
    except OSError:
        return None
    snapshot = kept / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def context_of(model: str, revision: str | None = None) -> int | None:
    """The longest prompt and completion together that its `config.json` tells; None if unknown."""
    folder = folder_of(model, revision)
    if folder is None:
        return None
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return None
    for part in (config, config.get("text_config")):
        told = part.get("max_position_embeddings") if isinstance(part, dict) else None
        if isinstance(told, int) and told > 0:
            return told
    return None


def state_of(model: str, revision: str | None = None) -> str:
    """What tells these files from others under the same name: names, sizes and times of a folder,
    or the commit of a snapshot; "" if they are not here yet."""
    folder = folder_of(model, revision)
    if folder is None:
        return ""
    if folder.parent.name == "snapshots":
        return folder.name
    files = sorted(file for file in folder.iterdir() if file.is_file())
    told = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return sha256(repr(told).encode()).hexdigest()[:16]


def _cache() -> Path:
    """Where Hugging Face keeps what it downloaded."""
    if named := os.environ.get("HF_HUB_CACHE"):
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", f"{cache}/huggingface")
    return Path(home).expanduser() / "hub"
