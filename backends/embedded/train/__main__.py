"""Run the training: ``python -m polyarch.backends.embedded.train``."""

from importlib.util import find_spec

from ....compiler.errors import MissingPackage

if find_spec("torch") is None:
    raise MissingPackage("training needs PyTorch: pip install torch==2.13.0")

from .run import main

main()
