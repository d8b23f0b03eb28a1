"""Structured covariances of effects and residuals, roles and pedigrees, beside nlme, glmmTMB and lme4 in R."""
