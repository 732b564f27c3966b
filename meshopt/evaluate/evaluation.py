"""All figures of one mesh: against the true mesh, against views, and its topology. docs/evaluate.md explains them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from meshopt.config import EvaluateConfig
from meshopt.errors import InputError
from meshopt.evaluate.alignment import Method, Similarity, align
from meshopt.evaluate.geometry import Geometry, compare
from meshopt.evaluate.images import ImageScores, image_scores
from meshopt.evaluate.perceptual import perceptual
from meshopt.evaluate.surfaces import Surface
from meshopt.mesh import Mesh
from meshopt.topology import Topology, topology
from meshopt.views import ViewSet

TIMES = 2.0  # sizes that differ by more are noted
APART = 0.5  # of the truth's diagonal: centres that are farther apart are noted
OVERLAP = 0.1  # a mean silhouette IoU below this is noted


@dataclass(frozen=True)
class Evaluation:
    """What was measured; None where there was nothing to measure with.

    `alignment` was applied to the mesh first. `notes`: sentences on what is to be known of the figures.
    """

    align: Method
    alignment: Similarity
    geometry: Geometry | None
    images: ImageScores | None
    topology: Topology
    notes: tuple[str, ...]

    def as_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "alignment": {"method": self.align, **self.alignment.as_plain()},
            "geometry": None if self.geometry is None else self.geometry.as_plain(),
            "images": None if self.images is None else self.images.as_plain(),
            "topology": asdict(self.topology),
            "topology_line": self.topology.line(),
            "notes": list(self.notes),
        }


def evaluate(
    mesh: Mesh,
    truth: Mesh | None = None,
    views: ViewSet | None = None,
    settings: EvaluateConfig | None = None,
    download: bool = False,
) -> Evaluation:
    """Measures `mesh` against the true mesh, against views of the object, or both; on the CPU.

    All are in one frame and unit (the user's), unless `settings.align` lays the mesh on the truth first. Any meshes
    will do: open, non-manifold, in parts. `download`: LPIPS may fetch its weights. Same input, same figures.
    Raises InputError where there is nothing to compare with, where a mesh has no surface, and for what LPIPS lacks.
    """
    settings = settings or EvaluateConfig()
    _check(truth, views, settings)
    found = Surface.of(mesh)
    pose, geometry, notes = Similarity.identity(), None, []
    if truth is not None:
        true = Surface.of(truth, "the true mesh")
        pose = align(found, true, settings.align)
        if settings.align == "none":
            notes += _placement_notes(found, true)
        else:
            mesh = pose.of_mesh(mesh)
            found = Surface.of(mesh)
        geometry = compare(found, true, settings.samples, settings.thresholds)
        notes += _geometry_notes(geometry)
    images = None
    if views is not None:
        distance = perceptual(download) if settings.lpips and _colored(mesh) and views.rgb is not None else None
        images = image_scores(mesh, views, distance)
        notes += _image_notes(mesh, views, images, settings)
    return Evaluation(settings.align, pose, geometry, images, topology(mesh.vertices, mesh.faces), tuple(notes))


def _check(truth: Mesh | None, views: ViewSet | None, settings: EvaluateConfig) -> None:
    if truth is None and views is None:
        raise InputError("nothing to compare the mesh with: expected --gt, a mesh, or --views, images, or both.")
    if truth is None and settings.align != "none":
        raise InputError(f"--align {settings.align} lays the mesh on the true one: give that with --gt, or no --align.")
    if views is None and settings.lpips:
        raise InputError("--lpips compares pictures: expected --views, a folder of images.")


def _colored(mesh: Mesh) -> bool:
    return mesh.texture is not None or mesh.colors is not None


def _placement_notes(found: Surface, truth: Surface) -> list[str]:
    """On sizes and places that differ so much that figures say nothing else."""
    ratio = found.diagonal / truth.diagonal
    distance = float(((found.centre - truth.centre) ** 2).sum() ** 0.5) / truth.diagonal
    if not 1 / TIMES <= ratio <= TIMES:
        size = f"{ratio:.3g} times as large as" if ratio > 1 else f"{1 / ratio:.3g} times smaller than"
        return [f"The mesh is {size} the true one: --align bbox or --align icp lays it on that first."]
    if distance > APART:
        return [
            f"The mesh lies {distance:.2g} of the true one's diagonals away from it: --align bbox or --align icp lays"
            " it on that first."
        ]
    return []


def _geometry_notes(geometry: Geometry) -> list[str]:
    notes = []
    if geometry.everything.normal_angle.mean > 90:
        notes.append("The normals point against those of the true mesh: one of both meshes seems to be inside out.")
    if geometry.visible is None:
        notes.append("Nothing of one of both meshes is seen from outside: there are no figures of what is visible.")
    return notes


def _image_notes(mesh: Mesh, views: ViewSet, images: ImageScores, settings: EvaluateConfig) -> list[str]:
    notes, overlap = [], images.whole.silhouette_iou
    if overlap is not None and overlap < OVERLAP:
        notes.append(
            f"The mesh hardly covers what the views show (silhouette IoU {overlap:.3f}): expected it to stand as their"
            " cameras see it, front +Z, up +Y, in their units."
        )
    if not views.has_normals:
        notes.append("The views have no normals: their errors are not measured; --normals takes a folder of them.")
    if views.rgb is None or not _colored(mesh):
        lacking = "The views have" if views.rgb is None else "The mesh has"
        figures = "PSNR, SSIM and LPIPS are" if settings.lpips else "PSNR and SSIM are"
        notes.append(f"{lacking} no colours: {figures} not measured.")
    return notes
