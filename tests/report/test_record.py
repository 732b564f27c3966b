"""report.json is valid JSON whatever numbers come."""

import json

import numpy as np
import torch

from meshopt.report.record import SCHEMA, encode_record, rounded_curves


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


def test_lists_of_numbers_stand_in_one_line_and_nothing_else_changes() -> None:
    record = {"a": [1, -2.5, float("nan"), 1e-9], "b": ["[\n 1,\n 2 ]", "x"], "c": [], "d": [[1, 2], [3]], "e": [True]}
    text = encode_record(record).decode()
    assert '"a": [1, -2.5, null, 1e-09]' in text
    assert json.loads(text) == {"schema": SCHEMA, **record, "a": [1, -2.5, None, 1e-9]}


def test_curves_are_rounded_to_six_digits() -> None:
    curves = {"coarse": {"normal": [1 / 3, 123456789.5, 2e-9 / 3, float("inf")], "faces": [1234567.0]}}
    expected = {"coarse": {"normal": [0.333333, 123457000.0, 6.66667e-10, float("inf")], "faces": [1234567]}}
    assert rounded_curves(curves) == expected
    assert isinstance(rounded_curves(curves)["coarse"]["faces"][0], int)
