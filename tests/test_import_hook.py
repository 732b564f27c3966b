"""The tests' own checking works: a wrong shape does not pass."""

import numpy as np
import pytest
import torch

from meshopt.mesh import face_cross
from meshopt.report.preview import angle_map


def test_wrong_shape_is_caught() -> None:
    with pytest.raises(Exception, match="Type-check"):
        face_cross(torch.zeros(4, 2), torch.zeros(1, 3, dtype=torch.int32))
    with pytest.raises(Exception, match="Type-check"):
        angle_map(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))
