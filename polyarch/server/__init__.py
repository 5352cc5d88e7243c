"""Models behind an OpenAI-compatible endpoint.

What comes over the wire (`bodies`, `asked`, `replies`, `failures`) knows nothing of HTTP servers;
`app` and `listen` know nothing of what answers: that is a `Served`.
"""
