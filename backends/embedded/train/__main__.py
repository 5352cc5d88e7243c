"""Run the training: ``python -m polyarch.backends.embedded.train``."""

from .run import main

main()
