# Fits the models of a folder with lme4 and writes every figure of each: see lme4_fits.py.
# Argument: folder with jobs.csv, and per model NAME.csv and NAME.levels.csv; NAME.out.csv is written there.

suppressPackageStartupMessages(library(lme4))

# lme4's default optimiser with tolerances at the limit of its arithmetic, restarted until it gains nothing: what is left of
# the differences is not for want of iterations.
control <- lmerControl(
  optimizer = "nloptwrap", optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 100000), calc.derivs = FALSE,
  check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.nobs.vs.rankZ = "ignore"
)
most_restarts <- 3
least_gain <- 1e-9

read_data <- function(path, levels_path) {
  levels <- read.csv(levels_path, colClasses = "character")
  labelled <- unique(levels$column)
  data <- read.csv(path, colClasses = setNames(rep("character", length(labelled)), labelled), check.names = FALSE)
  for (column in labelled) {
    mine <- levels[levels$column == column, ]
    data[[column]] <- factor(data[[column]], levels = mine$level)
    if (nlevels(data[[column]]) > 1) contrasts(data[[column]]) <- mine$contrast[1]
  }
  data
}

fit <- function(job, data) {
  arguments <- list(formula = as.formula(job$formula), data = data, REML = job$reml == "True", control = control)
  if (job$weights != "") arguments$weights <- data[[job$weights]]
  if (job$offset != "") arguments$offset <- data[[job$offset]]
  model <- do.call(lmer, arguments)
  for (number in seq_len(most_restarts)) {
    arguments$start <- getME(model, "theta")
    again <- do.call(lmer, arguments)
    gain <- as.numeric(logLik(again)) - as.numeric(logLik(model))
    if (gain > 0) model <- again
    if (gain < least_gain) break
  }
  model
}

figures <- function(model) {
  rows <- function(figure, key, value, group = "") {
    data.frame(figure = figure, group = group, key = as.character(key), value = sprintf("%.17g", value))
  }
  beta <- fixef(model)
  components <- as.data.frame(VarCorr(model))
  modes <- as.data.frame(ranef(model, condVar = TRUE))
  fitted <- fitted(model)
  rbind(
    rows("criterion", "", -2 * as.numeric(logLik(model))),
    rows("AIC", "", AIC(model)), rows("BIC", "", BIC(model)), rows("sigma", "", sigma(model)),
    rows("beta", names(beta), beta), rows("SE", names(beta), sqrt(diag(as.matrix(vcov(model))))),
    rows("theta", seq_along(getME(model, "theta")), getME(model, "theta")),
    rows("width", names(model@cnms), lengths(model@cnms)),
    rows("levels", names(model@cnms), sapply(model@flist[attr(model@flist, "assign")], nlevels)),
    rows("varcorr", components$grp, components$vcov), rows("sdcor", components$grp, components$sdcor),
    rows("modes", modes$grp, modes$condval, paste(modes$grpvar, modes$term, sep = "|")),
    rows("conditional SD", modes$grp, modes$condsd, paste(modes$grpvar, modes$term, sep = "|")),
    rows("fitted", seq_along(fitted), fitted)
  )
}

folder <- commandArgs(trailingOnly = TRUE)[1]
jobs <- read.csv(file.path(folder, "jobs.csv"), colClasses = "character", na.strings = character(0))
for (number in seq_len(nrow(jobs))) {
  job <- jobs[number, ]
  path <- file.path(folder, job$name)
  found <- tryCatch(
    suppressMessages(suppressWarnings(figures(fit(job, read_data(paste0(path, ".csv"), paste0(path, ".levels.csv")))))),
    error = function(err) data.frame(figure = "error", group = "", key = conditionMessage(err), value = "NaN")
  )
  write.csv(found, paste0(path, ".out.csv"), row.names = FALSE)
  cat(job$name, "\n")
}
cat("lme4", as.character(packageVersion("lme4")), "R", as.character(getRversion()), "\n")
