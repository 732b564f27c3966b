"""Pipelines of meshopt's own over diffusers' parts, for weights whose published code needs old versions of these.

Imported only where one is loaded: these files import diffusers.
"""
