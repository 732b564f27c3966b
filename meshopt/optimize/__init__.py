"""The optimiser: vertex steps through a differentiable rasteriser, with remeshing, from coarse to fine."""

from meshopt.optimize.colors import blend_colors
from meshopt.optimize.loop import LoopState, Optimized, optimize_stage
from meshopt.optimize.stages import Stage, schedule

__all__ = ["LoopState", "Optimized", "Stage", "blend_colors", "optimize_stage", "schedule"]
