"""The recipe that the embedded model was made by. Not part of the package."""
