"""Tests here import what they share from `comparing`, beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from imitated import imitated

__all__ = ["imitated"]
