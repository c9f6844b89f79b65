"""The writers, one file an output format, and the Ray Datasink over them."""
