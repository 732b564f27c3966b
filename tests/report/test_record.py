"""report.json is valid JSON whatever numbers come."""

import json

import numpy as np
import torch

from meshopt.report.record import SCHEMA, encode_record


def test_schema_stands_first_and_values_survive() -> None:
    data = json.loads(encode_record({"a": 1, "b": {"c": [1.5, "ü", None, True]}}))
    assert data == {"schema": SCHEMA, "a": 1, "b": {"c": [1.5, "ü", None, True]}}
    assert next(iter(data)) == "schema"


def test_numbers_of_other_libraries_and_what_json_lacks() -> None:
    record = {"x": np.float32(0.5), "y": torch.tensor(3), "z": float("nan"), "i": (np.inf,), "n": np.int64(2)}
    assert json.loads(encode_record(record)) == {
        "schema": SCHEMA,
        "x": 0.5,
        "y": 3,
        "z": None,
        "i": [None],
        "n": 2,
    }
