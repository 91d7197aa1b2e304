"""Data: reading texts, records, sentences and series; splits and inventories; units, lanes of chunks, corpora."""
