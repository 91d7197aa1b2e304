"""Judging: arrays in, numbers out. No model is known here."""
