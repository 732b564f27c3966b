"""Measuring how well things work: a mesh against the truth, and damage done to views on purpose, the truth about it on
record.
"""

from meshopt.evaluate.corruptions import KINDS, Corrupted, Kind, Truth, corrupt
from meshopt.evaluate.evaluation import Evaluation, evaluate

__all__ = ["KINDS", "Corrupted", "Evaluation", "Kind", "Truth", "corrupt", "evaluate"]
