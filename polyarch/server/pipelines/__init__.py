"""Pipelines behind an endpoint, each a model to its clients."""
