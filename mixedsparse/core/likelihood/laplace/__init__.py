"""The Laplace approximation of the likelihood of a generalized linear mixed model, with exact derivatives."""
