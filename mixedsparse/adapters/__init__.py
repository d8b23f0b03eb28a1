"""Fits for other packages: modules have a `ModelMixedsparse` for the package of their name, or its estimators.

==================  ==============================================================================
``maketables``      regression tables; its plug-in protocol, which `MixedResults` speaks as well
``marginaleffects`` predictions, comparisons and slopes
``sklearn``         estimators of scikit-learn, as ``mixedsparse.sklearn``
``arviz``           bootstrap replicates as InferenceData
==================  ==============================================================================
"""
