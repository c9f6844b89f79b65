"""The stages: pure functions from one Arrow table to the next, with no Ray, no model and no sight of each other."""
