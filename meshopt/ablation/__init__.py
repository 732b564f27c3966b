"""Ablations: the same reconstruction from true, generated and damaged normals, under several settings.

Data goes one way: `objects` say what there is, `plan` what is compared, `runs` do one reconstruction each, `ablation`
does them all in processes, `summary` says what came of it. meshopt.report.ablations writes it. docs/ablate.md.
"""

from meshopt.ablation.ablation import Ablation, Plan, ablate, make_plan
from meshopt.ablation.objects import ObjectOptions, Subject, ViewFiles, named_objects
from meshopt.ablation.plan import Damage, Input, Variant, corrupted, parse_damages, parse_variation, variants
from meshopt.ablation.summary import Group

__all__ = [
    "Ablation",
    "Damage",
    "Group",
    "Input",
    "ObjectOptions",
    "Plan",
    "Subject",
    "Variant",
    "ViewFiles",
    "ablate",
    "corrupted",
    "make_plan",
    "named_objects",
    "parse_damages",
    "parse_variation",
    "variants",
]
