"""From image files to aligned, masked arrays: which file is which view, masks, one resolution, the scene's
extent.
"""
