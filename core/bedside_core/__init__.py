"""The platform: everything a practice needs that is not GraphQL and not a plugin."""

__version__ = "0.1.0"
