"""placeholder until the page is merged."""


def tagger_page() -> str:
    """X."""
    return "<!doctype html><title>cytotag</title>"
