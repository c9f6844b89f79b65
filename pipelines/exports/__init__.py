"""Documents in the formats of others: pure functions from tables (DOCUMENT_ROW) to the bytes of files."""
