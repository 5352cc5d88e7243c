"""Models on GPUs: what fits where, which take turns, and an idealised price in seconds."""
