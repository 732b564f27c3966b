"""Seconds, charts, stretch and coverage of atlases, of given meshes at several face counts and levels of noise.

    python benchmarks/unwrap.py MESH... [--faces 30000 50000] [--noise 0 0.3 1] [--size 2048] [--padding 4] [--box]

Noise is Gaussian, in mean edge lengths. Seconds are of the clock, xatlas working in a process of its own; seams are
the length of the charts' borders in diagonals of the mesh's box, each edge once; anisotropy is the median, and what
95 % of the area do not exceed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from meshopt.io.meshes import load_mesh
from meshopt.remesh import to_faces
from meshopt.texturing.atlas import Atlas, figures
from meshopt.texturing.unwrapping import unwrap
from meshopt.topology import edges

TITLES = "mesh", "faces", "noise", "method", "time", "charts", "seams", "stretch", "anisotropy", "coverage", "overlaps"


def noisy(vertices: torch.Tensor, faces: torch.Tensor, noise: float) -> torch.Tensor:
    """The vertices moved by so many mean edge lengths."""
    length = (vertices[faces[:, 0].long()] - vertices[faces[:, 1].long()]).norm(dim=1).mean()
    generator = torch.Generator().manual_seed(0)
    return vertices + noise * length * torch.randn(vertices.shape, generator=generator)


def seams(atlas: Atlas, vertices: torch.Tensor) -> float:
    """Length of the edges between charts, in diagonals of the mesh's box."""

    def length(pairs: torch.Tensor, points: torch.Tensor) -> float:
        return float((points[pairs[:, 0].long()] - points[pairs[:, 1].long()]).norm(dim=1).sum())

    whole = atlas.vertices.long()
    apart = length(edges(atlas.faces), vertices[whole]) - length(edges(whole[atlas.faces.long()]), vertices)
    return apart / float((vertices.amax(dim=0) - vertices.amin(dim=0)).norm())


def row(name: str, vertices: torch.Tensor, faces: torch.Tensor, noise: float, options: argparse.Namespace) -> str:
    """One line of the table."""
    moved = noisy(vertices, faces, noise)
    start = time.perf_counter()
    method = "box" if options.box else "xatlas"
    atlas = unwrap(moved, faces, options.size, options.padding, method, options.seconds)
    seconds = time.perf_counter() - start
    found = figures(atlas, moved)
    cells = [name, str(len(faces)), f"{noise:g}", atlas.method, f"{seconds:.1f} s", str(found.charts)]
    cells += [f"{seams(atlas, moved):.1f}", f"{found.stretch:.3f}", "{:.2f}, {:.2f}".format(*found.anisotropy)]
    return "| " + " | ".join([*cells, f"{found.coverage:.1%}", str(found.overlaps)]) + " |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path, nargs="+")
    parser.add_argument("--faces", type=int, nargs="+", default=[30_000])
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0])
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--padding", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--box", action="store_true", help="box charts at once")
    options = parser.parse_args()
    unwrap(torch.eye(3), torch.tensor([[0, 1, 2]]), 64, 1)  # compiles
    print("| " + " | ".join(TITLES) + " |")
    print("|---" * len(TITLES) + "|")
    for path in options.meshes:
        mesh = load_mesh(path)
        for count in options.faces:
            vertices, faces, _ = to_faces(mesh.vertices, mesh.faces, count)
            for noise in options.noise:
                print(row(path.stem, vertices, faces, noise, options), flush=True)


if __name__ == "__main__":
    main()
