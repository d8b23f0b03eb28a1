"""What users of other packages write, and what it is here: arguments, names of the package, attributes of results."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "ATTRIBUTES", "NAMES"]

_GENERALIZED = "responses are normal here: for binary data, counts and positive numbers write mixedsparse.glmer"
_ORDINAL = "ordered categories are not modelled here: use clmm of R's ordinal, or bambi in Python"
_INFLATED = "there is no zero inflation here: use glmmTMB in R, or family='negative_binomial' for the spread alone"
_RESIDUALS = (
    "residual covariances are text: residual='ar1(time | g)', 'car1', 'cs', 'toep' or 'us(visit | g)' for correlations "
    "within groups, dispersion='~ stratum' or '~ log(x)' for variances"
)
_RELATIONS = (
    "write '(1 | rel(id))' in the formula and relations={'id': mixedsparse.Pedigree(frame)}, or a labelled matrix"
)
_NO_REML = "generalized models have no error contrasts, and so no REML: they are fitted by maximum likelihood"
_NO_RELATIONS = "it is for linear models: write mixedsparse.lmer(relations=...)"
_NO_RESIDUAL = (
    "responses of generalized models are independent given the random effects: add these, e.g. '(1 | id)' for each row"
)
_NONLINEAR = "models are linear in their parameters here. Use lme4's nlmer or nlme in R"
_BARS = "random effects stand in the formula, '+ (1 | g)'; mixedsparse.mixedlm takes statsmodels' arguments"
_LINEAR = "write mixedsparse.lmer, with random effects in bars, '(x | g)'"
_RE_FORM = (
    "write random='conditional' for all random effects (R's NULL), 'population' for none (R's NA), or a list of "
    "grouping factors"
)
_SCALE = "estimates are on the scale of the formula's response: transform them and their limits, e.g. by numpy.exp"

# Matrices and vectors of the model that `get` returns under these names, and lme4's and others' names for them.
_PARTS = {
    **{name: name for name in ("X", "Z", "Lam", "b", "beta", "u", "y")},
    **{"Zt": "Z", "Lambda": "Lam", "Lambdat": "Lam", "flist": "Z", "exog": "X", "exog_re": "Z", "endog": "y"},
    "model.matrix": "X",
}
# Of a fit: what lme4, lmerTest, emmeans, broom and statsmodels call it -> what it is called here.
_OF_FITS = {
    **{name: f"get({part!r})" for name, part in _PARTS.items()},
    "AIC": "aic",
    "BIC": "bic",
    "info_criteria": "aic or bic",
    "terms": "anova(), whose rows they are",
    "add1": "update('~ . + x'), and compare by mixedsparse.anova(fit, other)",
    "pairs": "emmeans(...).contrast('pairwise')",
    "cld": "emmeans(...).contrast('pairwise') and read the table, or emmeans(...).plot(comparisons=True)",
    **dict.fromkeys(("effects", "effect"), "plot.effects(), or emmeans()"),
    **dict.fromkeys(("fixed_effects", "fixed"), "params, or coef_table()"),
    **dict.fromkeys(("ranefs", "random_slopes"), "random_effects"),
    "vc": "varcorr()",
    "weights": "augment(), whose column .weights has them",
    **dict.fromkeys(("slopes", "avg_slopes", "get_margeff", "margeff"), "emtrends()"),
    "marginaleffects": "emtrends() for slopes, emmeans() for means",
    **dict.fromkeys(("k_fe", "k_params"), "params.size, or df_model for all parameters"),
    "k_re": "cov_re, a table for each grouping factor",
    **dict.fromkeys(("n_groups", "groups"), "ngroups"),
    "isREML": "reml",
    **dict.fromkeys(("isLMM", "isGLMM"), "summary(), whose head says what the model is"),
    "devfun": "model.objective(theta)",
    "score": "model.gradient(theta)",
    "hessian": "certificate, or model.hessian(theta)",
    "hist": "optim, or certificate",
    "use_t": "coef_table(ddf=...), where 'normal' gives z-tests",
    **dict.fromkeys(("r2_nakagawa", "r_squared"), "r2()"),
    "get_influence": "influence()",
    "outlier_test": "residuals('studentized'), or influence()",
    **dict.fromkeys(("test_normality", "plot_diagnostics"), "plot.check_model()"),
    "remove_data": "save(path, data=False)",
    "to_pickle": "save(path)",
    "load": "save(path), and read it by mixedsparse.load(path)",
    **dict.fromkeys(("deviance_residuals", "resid_deviance"), "residuals()"),
    "ranef": "random_effects, and random_effects_cov for the conditional variances",
    "VarCorr": "varcorr()",
    "coefs": "params, coef_table(), or coef() for those of each level",
    "coefficients": "params, or coef_table()",
    "confint": "conf_int(method='wald', 'profile' or 'boot')",
    "isSingular": "singular",
    "logLik": "llf",
    "loglik": "llf",
    "loglike": "llf",
    "deviance": "criterion, which is -2 log L after reml=False",
    "REMLcrit": "criterion",
    "getME": "get(name)",
    "refitML": "refit(reml=False)",
    "vcov": "cov_params()",
    "fitted": "fittedvalues",
    "df.residual": "df_resid",
    "sigma2": "scale",
    "ngrps": "ngroups",
    "bootMer": "bootstrap()",
    "hatvalues": "leverage()",
    "rstudent": "residuals('studentized')",
    "rstandard": "residuals('standardized')",
    "resid_pearson": "residuals('pearson')",
    "cooks.distance": "cooks_distance()",
    "dfbeta": "dfbetas()",
    "influence.measures": "influence()",
    "lsmeans": "emmeans()",
    "ls_means": "emmeans()",
    "difflsmeans": "emmeans(...).contrast('pairwise')",
    "t_test_pairwise": "emmeans(...).contrast('pairwise')",
    "lstrends": "emtrends()",
    "contest": "wald_test(L)",
    "contest1D": "t_test(L)",
    "f_test": "wald_test(L)",
    "contrast": "emmeans(...).contrast(...)",
    "KRmodcomp": "wald_test(L, ddf='kenward-roger')",
    "Anova": "anova(type=2)",
    "rand": "ranova()",
    "step": "parsimony()",
    "get_prediction": "predict(newdata, interval='confidence' or 'prediction')",
    "predictInterval": "predict(newdata, interval='prediction')",
    "predict_interval": "predict(newdata, interval='prediction')",
    "rsquared": "r2()",
    "r.squaredGLMM": "r2()",
    "DHARMa": "scaled_residuals()",
    "simulateResiduals": "scaled_residuals()",
    "zvalues": "tvalues",
    "bse_re": "conf_int(which='all')",
    "mle_retvals": "optim",
    "hess": "certificate, or model.hessian(theta)",
    "model.frame": "augment()",
    "as.data.frame": "tidy()",
    "to_dataframe": "tidy()",
    "std_err": "bse",
    "se": "bse",
    "stderr": "bse",
    "std_errors": "bse",
    "pvals": "pvalues",
    "n": "nobs",
    **dict.fromkeys(("check_model", "performance"), "plot.check_model()"),
    **dict.fromkeys(("plot_model", "plot_summs", "coefplot", "dwplot"), "plot.coefficients(), or plot.effects()"),
    **dict.fromkeys(("ggpredict", "ggeffect", "allEffects", "plot_predictions"), "plot.effects()"),
    **dict.fromkeys(("plotResiduals", "plotQQunif"), "plot.scaled_residuals()"),
    **dict.fromkeys(("qqmath", "dotplot", "ranefinfo"), "plot.caterpillar(), or plot.random_qq()"),
    "nobs_": "nobs",
    "compare_lr_test": "then mixedsparse.anova(fit, other)",
    "lr_test": "then mixedsparse.anova(fit, other)",
}
# Methods of a fit that are functions in R.
_METHODS = (
    *(
        "fixef",
        "coef",
        "predict",
        "simulate",
        "emmeans",
        "emtrends",
        "joint_tests",
        "drop1",
        "ranova",
        "rePCA",
        "refit",
        "profile",
    ),
    *("bootstrap", "icc", "r2", "vif", "influence", "leverage", "tidy", "glance", "augment", "summary", "residuals"),
    *("conf_int", "t_test", "wald_test", "save"),
)

# What other packages call the covariance of residuals; calls that fit generalized models.
_COVARIANCES = ("correlation", "cov_struct", "covariance", "autocor", "dispformula", "varfunc")
_OF_GENERALIZED = ("glmer", "GeneralizedLinearMixedModel", "GeneralizedLinearMixedModel.fit")

ARGUMENTS = {
    "REML": "write reml=True or reml=False, in lmer or fit",
    "control": "write options=mixedsparse.FitOptions(...), in the call or in fit",
    "verbose": "write progress=True",
    "subset": "select the rows of the data before the call",
    "na_action": "rows with missing values are left out, with a warning; drop or fill them before the call",
    "ddf": "give it to summary, anova and the other methods of the results",
    **dict.fromkeys(("family", "link", "nAGQ", "trials"), _GENERALIZED),
    "ziformula": _INFLATED,
    **dict.fromkeys(_COVARIANCES, _RESIDUALS),
    **{f"{call}.relations": _NO_RELATIONS for call in _OF_GENERALIZED},
    **dict.fromkeys(
        ("plan.residual", "power.residual"),
        "plans have independent residuals: simulate() a fit with residual= or dispersion= and refit() the draws",
    ),
    **{
        f"{call}.{name}": f"there is no MMRM in the look-alike of statsmodels: write mixedsparse.lmer; {_RESIDUALS}"
        for call in ("mixedlm", "MixedLM", "MixedLM.from_formula")
        for name in ("residual", "dispersion")
    },
    **dict.fromkeys(("pedigree", "data2", "cov_ranef", "relmat"), _RELATIONS),
    **dict.fromkeys(("groups", "random", "re_formula", "vc_formula"), _BARS),
    "re_form": _RE_FORM,
    "allow_new_levels": "write new_levels='zero' to predict with random effects of 0 there",
    **dict.fromkeys(("se_fit", "se"), "write interval='confidence' or 'prediction'"),
    "predict.exog": "write newdata=, a table with the columns of the formula",
    "predict.type": _SCALE,
    "emmeans.cov_reduce": "write at={'covariate': values}",
    **dict.fromkeys(("lmer_df", "mode"), "write ddf='satterthwaite', 'kenward-roger' or 'normal'"),
    "contrast.combine": "write by=(), for one family of all contrasts",
    **dict.fromkeys(("p_adjust", "p_adjust_methods"), "write adjust="),
    "infer": "tables have intervals and, for contrasts, tests",
    "conf_int.level": "write alpha=, one less the level: alpha=.05 for 95 %",
    **dict.fromkeys(("parm", "cols"), "write which='fixed', 'random', 'all' or names of parameters"),
    **dict.fromkeys(("condVar", "postVar"), "see random_effects_cov"),
    **{f"{call}.{name}": _NO_REML for call in _OF_GENERALIZED for name in ("reml", "REML")},
    **{f"{call}.{name}": _NO_RESIDUAL for call in _OF_GENERALIZED for name in ("residual", *_COVARIANCES)},
    "use_u": "write random='conditional' to keep the random effects",
    "scaleData": "standardise columns in the formula, scale(x)",
}
NAMES = {
    **dict.fromkeys(("glmm", "glmmTMB", "glm", "gee"), "write mixedsparse.glmer(formula, data, family)"),
    "glmer_nb": "write mixedsparse.glmer(formula, data, 'negative_binomial')",
    "clmm": _ORDINAL,
    **dict.fromkeys(("nlmer", "nlme"), _NONLINEAR),
    **dict.fromkeys(("gls", "mmrm"), f"write mixedsparse.lmer; {_RESIDUALS}"),
    **dict.fromkeys(("lme", "lmm", "Lmer", "lmerTest"), _LINEAR),
    "lmerControl": "write mixedsparse.FitOptions",
    **{name: f"write fit.{text}" for name, text in _OF_FITS.items()},
    **{name: f"write fit.{name}(...)" for name in _METHODS},
    "update": "write fit.update('~ . + x')",
    "refitML": "write fit.refit(reml=False)",
    "lmList": "fit one model per group with a loop over data.groupby, or '(x | g)' for all of them together",
    "allFit": "fit.certificate says whether the optimum was reached: one method is enough",
    "simr": "write mixedsparse.power",
    "powerSim": "write mixedsparse.power",
    "powerCurve": "write mixedsparse.power with sizes=",
    "read_csv": "write pandas.read_csv",
    "ols": "write a random-effects term, '(1 | g)', or use statsmodels for models without",
}

_OF_MEANS = {
    **dict.fromkeys(("summary", "to_dataframe", "as_data_frame", "summary_frame", "confint", "conf_int"), "see .table"),
    "test": "see .table; tests are of contrasts: .contrast('eff'), or t_test of the fit",
    "pairs": "write .contrast('pairwise')",
    "contrasts": "write .contrast('pairwise')",
    "cld": "write .contrast('pairwise') and read the table",
    "joint_tests": "it is a method of the fit: fit.joint_tests()",
    "eff_size": "divide the estimates of .contrast(...).table by fit.sigma",
}

# By class.
ATTRIBUTES: dict[str, dict[str, str]] = {
    "ResultsBase": {
        **{name: f"write {text}" for name, text in _OF_FITS.items()},
        "allFit": NAMES["allFit"],
        "family": "responses are normal here; see mixedsparse.glmer for others",
    },
    "GeneralizedResults": {
        **{name: f"write {text}" for name, text in _OF_FITS.items()},
        "allFit": NAMES["allFit"],
        **dict.fromkeys(("scale", "sigma", "sigma2"), "there is no residual variance: see dispersion"),
        **dict.fromkeys(("reml", "isREML", "refitML", "REMLcrit"), _NO_REML),
        "REMLcrit": "write criterion, -2 log L: generalized models are fitted by maximum likelihood",
        **dict.fromkeys(("deviance_residuals", "resid_deviance"), "write residuals('deviance')"),
        **dict.fromkeys(("pearson_chi2", "resid_pearson_chi2"), "write overdispersion()"),
        "null_deviance": "fit '1 + (1 | g)' and write its criterion",
        "use_t": "tests are z and chi-squared, since there is no residual variance to estimate",
        "devfun": "write model.objective(theta, beta)",
        "score": "write model.gradient(theta, beta)",
        "outlier_test": "write residuals('quantile'), or influence()",
        "KRmodcomp": "there is no residual variance, so that tests are chi-squared: write wald_test(L), or drop1()",
        "caic": "it is defined for normal responses: compare fits by aic or mixedsparse.anova",
        "marginal_cov": "responses have no covariance matrix by themselves: simulate() draws them",
        "predictInterval": "draw new responses: simulate(newdata=...).quantile([.025, .975], axis=1)",
        "predict_interval": "draw new responses: simulate(newdata=...).quantile([.025, .975], axis=1)",
        "deviance": "write criterion for -2 log L; R's deviance() of such a fit is (residuals('deviance')**2).sum()",
        "hess": "write certificate, or model.hessian(theta, params)",
        "prediction_batches": "write stream_predictions(path), and read the file in batches",
        **dict.fromkeys(("odds_ratio", "odds_ratios", "oddsratio", "irr", "exp"), "write coef_table(exp=True)"),
        **dict.fromkeys(
            ("residual_acf", "residual_cov", "residual_params"),
            "responses are independent given the random effects: there is no residual covariance",
        ),
        "rstudent": "residuals('quantile')",
        "rstandard": "residuals('pearson')",
    },
    "LinearMixedModel": {
        **dict.fromkeys(("params", "summary", "varcorr", "predict"), "it has not been fitted: write model.fit()"),
        "loglike": "write -0.5 * model.objective(theta)",
        "score": "write model.gradient(theta)",
        "from_formula": "write mixedsparse.LinearMixedModel(formula, data)",
        "endog": "write model.design.y",
        "exog": "write model.design.X",
    },
    "MarginalMeans": _OF_MEANS,
    "Contrasts": _OF_MEANS,
    "ScaledResiduals": {"plot": "write fit.plot.scaled_residuals(residuals)"},
    "Influence": {"plot": "write fit.plot.influence(group)"},
}
