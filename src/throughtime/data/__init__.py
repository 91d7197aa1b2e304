"""Data: reading text, units and vocabularies, lanes of chunks, public corpora."""
