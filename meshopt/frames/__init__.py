"""Normal-map encodings: frames and axis signs, reading and writing them, and finding out an unknown one.

Arrays are numpy. Stored vectors are what a file holds; inside the package a normal is a unit vector in the
world frame.
"""

from meshopt.frames.detection import Detection, Resolved, detect, resolve
from meshopt.frames.encoding import NAMED_AXES, Frame, NormalEncoding, decode, encode, front_view, to_colours
from meshopt.frames.storage import Storage, inspect, to_vectors
from meshopt.frames.survey import Score

__all__ = [
    "NAMED_AXES",
    "Detection",
    "Frame",
    "NormalEncoding",
    "Resolved",
    "Score",
    "Storage",
    "decode",
    "detect",
    "encode",
    "front_view",
    "inspect",
    "resolve",
    "to_colours",
    "to_vectors",
]
