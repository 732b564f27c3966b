"""The estimators of normals, one file each with its `ADAPTER`; `meshopt.generate.registry` finds them."""
