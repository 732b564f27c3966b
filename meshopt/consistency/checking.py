"""`check`: the examination's findings, with verdicts and scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from meshopt.config import CheckConfig
from meshopt.consistency import reports
from meshopt.consistency.corrections import Correction, Turned
from meshopt.consistency.examination import examine
from meshopt.consistency.findings import ConsistencyReport, Finding, ViewVerdict, worst
from meshopt.consistency.observation import observe
from meshopt.consistency.scores import score
from meshopt.consistency.surface import SharedPoints, disagreement, reduced, shared_points
from meshopt.consistency.turns import Turn, estimate_turns
from meshopt.mesh import Mesh
from meshopt.surroundings import shielded
from meshopt.views import ViewSet

SURE, SMALL = 2.0, 5.0  # standard deviations above nothing, and degrees: what is turned back while a mesh is fitted


@dataclass(frozen=True)
class Checked:
    """What the checks come to.

    `views`: the views with all `corrections` applied, which are found whether they are wanted or not. `degrees`: per
    pixel of the reduced views, how far its normal is from what the other views show there; NaN where none does.
    `flagged`: the pixels among them whose normals are those of a bent patch.
    `surface`: the rough one made of `views` on which they were compared; None where silhouettes share no volume.
    """

    report: ConsistencyReport
    views: ViewSet
    corrections: tuple[Correction, ...]
    degrees: Float[np.ndarray, "V h w"]
    flagged: Bool[np.ndarray, "V h w"]
    surface: Mesh | None


def check(views: ViewSet, settings: CheckConfig | None = None) -> Checked:
    """Checks the views against each other. Nothing is written; the views are not changed. The same views give the same
    findings. Raises InputError for views without normals."""
    views.require_normals("check")
    done = examine(views, settings or CheckConfig())
    names = [camera.name for camera in views.cameras]
    scores = score(done)
    verdicts = [
        ViewVerdict(name, worst([f.severity for f in done.findings if name in f.views]), float(part))
        for name, part in zip(names, scores.views, strict=True)
    ]
    report = ConsistencyReport(
        worst([f.severity for f in done.findings]), float(scores.total), tuple(verdicts), tuple(done.findings)
    )
    return Checked(report, done.views, tuple(done.corrections), done.degrees, done.flagged, done.surface)


def check_mesh(views: ViewSet, mesh: Mesh, settings: CheckConfig) -> list[Finding]:
    """Checks the views again on the optimised mesh (scene frame): normals that are turned against what the others show
    on it."""
    turns, _ = _turns_on(mesh, views)
    found = [
        finding
        for v, turn in enumerate(turns)
        for finding in reports.of_turn(views, v, turn.matrix, turn.uncertainty, settings)
    ]
    return [
        replace(finding, message=f"on the finished mesh, {finding.message}", details={**finding.details, "on": "mesh"})
        for finding in found
    ]


def remaining_turns(views: ViewSet, mesh: Mesh) -> list[Turned]:
    """What is still to be turned back, on a mesh (scene frame) that is being fitted to the views, a better surface than
    the rough one: small turns that are sure, if the views agree better on the mesh after them."""
    turns, shared = _turns_on(mesh, views)
    normals, found = shared.normals.copy(), []
    for v, turn in enumerate(turns):
        if SURE * turn.uncertainty < turn.degrees < SMALL:
            normals[v] = normals[v] @ turn.matrix.T
            found.append(Turned(v, turn.matrix))
    if not found or disagreement(replace(shared, normals=normals)).mean >= disagreement(shared).mean:
        return []
    return found


def _turns_on(mesh: Mesh, views: ViewSet) -> tuple[list[Turn], SharedPoints]:
    with shielded():
        surface = Mesh(mesh.vertices.cpu().float(), mesh.faces.cpu())
        shared = shared_points(reduced(views), surface)
        return estimate_turns(observe(views), shared), shared
