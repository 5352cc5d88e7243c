"""Text to plan: source, spec, graph, passes, price, emit."""
