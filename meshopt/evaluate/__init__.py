"""Measuring how well things work: damage done to views on purpose, the truth about it on record."""

from meshopt.evaluate.corruptions import KINDS, Corrupted, Kind, Truth, corrupt

__all__ = ["KINDS", "Corrupted", "Kind", "Truth", "corrupt"]
