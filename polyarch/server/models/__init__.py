"""A model behind an endpoint: what a request asks of it, and how it answers."""
