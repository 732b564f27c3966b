"""OBJ files out, with their MTL material and its images."""

from __future__ import annotations

import numpy as np

from meshopt import __version__
from meshopt.io.mesh_arrays import MeshArrays, TextureArrays


def encode_obj(mesh: MeshArrays, name: str, beside: str) -> dict[str, bytes]:
    """Wavefront OBJ; `name`.obj first, then what a texture needs, whose names begin with `beside`.

    Without a texture, sRGB colours stand behind the coordinates (x y z r g b). v of the uv points up in OBJ.
    """
    points = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in mesh.positions.tolist()]  # 9 digits keep a float32
    normals = [f"vn {x:.6g} {y:.6g} {z:.6g}" for x, y, z in mesh.normals.tolist()]
    corners = np.stack([mesh.faces, mesh.normal_faces], axis=-1).reshape(-1, 6) + 1
    if mesh.texture is None:
        if mesh.colors is not None:
            shades = [f" {r:.5g} {g:.5g} {b:.5g}" for r, g, b in mesh.colors.tolist()]
            points = [point + shade for point, shade in zip(points, shades, strict=True)]
        faces = [f"f {a}//{i} {b}//{j} {c}//{k}" for a, i, b, j, c, k in corners.tolist()]
        return {f"{name}.obj": _lines(*points, *normals, *faces)}
    places = [f"vt {u:.9g} {1 - v:.9g}" for u, v in mesh.texture.uv.tolist()]
    faces = [
        f"f {a}/{u}/{i} {b}/{v}/{j} {c}/{w}/{k}"
        for (a, i, b, j, c, k), (u, v, w) in zip(corners.tolist(), (mesh.texture.faces + 1).tolist(), strict=True)
    ]
    material = [f"mtllib {beside}.mtl", "usemtl surface"]
    files = {f"{name}.obj": _lines(material[0], *points, *places, *normals, material[1], *faces)}
    return {**files, **_material(mesh.texture, beside)}


def _material(texture: TextureArrays, beside: str) -> dict[str, bytes]:
    """The MTL file and its images.

    Roughness and metallic factor are Pr and Pm of the PBR extension; Ks (4 %, as of any dielectric) and Ns (as
    Blender converts it) are for readers that do not know them. `norm` is that extension's normal map. It is not
    repeated as `map_Bump`: some would take it for heights, and Blender 5.0 for a normal map whose numbers are sRGB.
    """
    shine = 1000 * (1 - texture.roughness) ** 2
    lines = ["newmtl surface", "Ka 1 1 1", "Kd 1 1 1", "Ks 0.04 0.04 0.04", f"Ns {shine:.6g}", "d 1", "illum 2"]
    lines += [f"Pr {texture.roughness:.6g}", f"Pm {texture.metallic:.6g}", f"map_Kd {beside}_color.png"]
    if texture.normals is not None:
        lines.append(f"norm {beside}_normal.png")
    images = {f"{beside}_{part}.png": blob for part, blob in texture.pngs.items()}
    return {f"{beside}.mtl": _lines(*lines), **images}


def _lines(*lines: str) -> bytes:
    return "\n".join([f"# meshopt {__version__}", *lines, ""]).encode()
