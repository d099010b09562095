"""Engines: one module each, imported by nobody but the worker process that runs it.

What an engine is, and what it may do, is said in `gateway.sdk.workshop`.
"""
