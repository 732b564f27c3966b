"""The multi-view models, one file each with its `ADAPTER`; `meshopt.generate.registry` finds them."""
