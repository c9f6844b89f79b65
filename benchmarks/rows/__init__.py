"""The rows of the speed suite, a file for a group."""
