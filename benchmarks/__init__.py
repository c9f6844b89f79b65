"""Measurements of the pipeline, each a ratio of two things timed in one run."""
