"""The page for something that is on the disk: a result's report, or one made of a mesh file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from meshopt.errors import InputError
from meshopt.io.limits import LIMITS, MeshLimits
from meshopt.io.mesh_parts import READABLE

PAGE = "report.html"
PAGES = (PAGE, "ablation.html")


def page_for(path: Path, limits: MeshLimits = LIMITS) -> Path:
    """The absolute path of the page that shows it: a folder's report.html, or a page in the folder for temporary files
    that shows a mesh, that of the folder where it has no report.

    Raises InputError where there is neither.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder, expected a result, its {PAGE}, or a mesh")
    if path.is_dir():
        path = _inside(path)
    if path.suffix.lower() in (".html", ".htm"):
        return path.absolute()
    if path.suffix.lower() not in READABLE:
        raise InputError(f"{path}: cannot be shown, expected a result, its {PAGE}, or a mesh ({', '.join(READABLE)})")
    from meshopt.report.page.files import file_page

    content = file_page(path, limits)
    page = Path(tempfile.mkdtemp(prefix="meshopt-view-")) / f"{path.stem}.html"
    page.write_bytes(content)
    return page


def _inside(folder: Path) -> Path:
    """The report, or else the mesh."""
    names = (*PAGES, *(f"mesh{suffix}" for suffix in READABLE))
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise InputError(
            f"{folder}: holds neither {PAGE} nor a mesh, expected the folder of a result, a check or an ablation"
        )
    return found
