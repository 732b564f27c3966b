"""From one picture: views and normals by multi-view diffusion models; from colour views: normals. See docs/generate.md.

Importing this brings neither torch nor diffusers: both are imported where a model is loaded.
"""
