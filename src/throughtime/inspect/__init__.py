"""Inspection: measures and drawings of models and runs."""
