"""The checks: which view does not fit the others, where, by how much, what would mend it. See docs/consistency.md."""

from meshopt.consistency.checking import Checked, check, check_mesh, remaining_turns
from meshopt.consistency.findings import ConsistencyReport, Finding, ViewVerdict

__all__ = ["Checked", "ConsistencyReport", "Finding", "ViewVerdict", "check", "check_mesh", "remaining_turns"]
