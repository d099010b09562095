"""The HTTP server: the only package that knows aiohttp's server side."""
