"""Tools that pipelines call: where they are, who may call them, and what becomes of a call."""
