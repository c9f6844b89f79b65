"""The commands of the command line, one file each; `pipelines.__main__` puts them together."""
