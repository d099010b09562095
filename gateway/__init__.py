"""A self-hosted AI gateway: many dialects in, one meaning, many providers out."""

__version__ = "0.1.0"
