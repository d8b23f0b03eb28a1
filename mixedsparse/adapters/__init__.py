"""Fits for other packages: each module has a `ModelMixedsparse` for the package of its name.

==================  ==============================================================================
``maketables``      regression tables; its plug-in protocol, which `MixedResults` speaks as well
``marginaleffects`` predictions, comparisons and slopes
==================  ==============================================================================
"""
