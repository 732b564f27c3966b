"""Textures: an atlas of a mesh's surface, baked from views.

`make_texture` is the whole of it. Inside, data goes one way: `unwrapping` lays the faces out, `lattice` cuts the
surface into small triangles, `observation` says what each view shows at points of it and how surely, `levelling` and
`filling` make the views agree and close what none sees, `baking` asks for every texel.
"""

from meshopt.texturing.stage import Textured, check_texturing, make_texture

__all__ = ["Textured", "check_texturing", "make_texture"]
