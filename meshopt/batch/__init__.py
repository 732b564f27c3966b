"""Batches: many assets reconstructed in processes of their own, on one machine or a cluster; what was done stays.

Data goes one way: `manifest` and `folders` say which assets there are, `names` what they may be called, `making` does
one of them, `engines` deal them to processes, `batch` does all and keeps `status`, `summary` makes a table of it.
`storage` is for whatever is not on this machine's disks. docs/batch.md.
"""

from meshopt.batch.assets import Asset, read_assets
from meshopt.batch.batch import Options, Plan, Totals, make_plan, run_batch
from meshopt.batch.engines import Machine

__all__ = ["Asset", "Machine", "Options", "Plan", "Totals", "make_plan", "read_assets", "run_batch"]
