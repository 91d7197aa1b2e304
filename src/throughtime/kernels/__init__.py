"""Compiled passes over memory: SIMD vectors inside Numba, and the mathematics on them."""
