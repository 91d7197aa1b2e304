"""Data: reading texts, pairs, records, sentences and series; splits and inventories; units, batches, lanes, corpora."""
