"""One GraphQL schema out of all plugins' parts, and its entrances over HTTP and WebSocket."""
