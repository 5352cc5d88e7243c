"""Traces: events written as they happen, read back, shown, replayed and exported."""
