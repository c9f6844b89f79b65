"""HTML pages that stand alone: style and script are in the one file, and nothing is fetched from anywhere."""
