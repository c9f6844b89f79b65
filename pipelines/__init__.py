"""What happens to the data, and the wiring: documents in, chunks out."""
