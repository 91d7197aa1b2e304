"""Tests here import what they share from `comparing`, beside this file; tests/conftest.py puts it within reach."""
