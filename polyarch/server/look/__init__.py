"""The page that a server of pipelines has: `pipelines` and `requests` say what it shows, `files`
are what a browser loads, `routes` is where all of it is. Questions go to the endpoint itself.
"""
