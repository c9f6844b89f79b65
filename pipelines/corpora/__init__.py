"""The readers, one file an input format, and the Ray Datasource over them."""
