"""The endpoint, apart from Ray: what comes in over HTTP, what goes out, and what is refused."""
