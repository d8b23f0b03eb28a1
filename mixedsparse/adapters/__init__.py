"""Results for other packages, each module for the package of its name, which only that module needs.

==================  ================================================================================
``maketables``      the numbers that its plug-in protocol asks of `MixedResults`
``marginaleffects`` `ModelMixedsparse`, which its functions take in place of a fit
==================  ================================================================================
"""
