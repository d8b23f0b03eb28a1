# Fits random models by lme4's three optimisers and writes what they reach: see lme4_fits.py.
# Argument: folder with jobs.csv and one CSV file per model; fits.csv is written there.

suppressPackageStartupMessages(library(lme4))

control <- function(optimizer, ...) {
  lmerControl(
    optimizer = optimizer, calc.derivs = FALSE, check.nobs.vs.rankZ = "ignore", check.nobs.vs.nlev = "ignore",
    check.nlev.gtr.1 = "ignore", check.nobs.vs.nRE = "ignore", check.rankX = "silent.drop.cols",
    check.scaleX = "ignore", check.conv.singular = "ignore", ...
  )
}
optimizers <- list(
  bobyqa = control("bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 20000)),
  nloptwrap = control("nloptwrap", optCtrl = list(xtol_abs = 1e-9, ftol_abs = 1e-9, maxeval = 5000)),
  Nelder_Mead = control("Nelder_Mead")
)

criterion <- function(job, data, reml, control) {
  arguments <- list(formula = as.formula(job$formula), data = data, REML = reml, control = control)
  if (job$weights != "") arguments$weights <- data[[job$weights]]
  if (job$offset != "") arguments$offset <- data[[job$offset]]
  quiet <- function(call) suppressWarnings(suppressMessages(call))
  tryCatch({
    model <- quiet(do.call(lmer, arguments))
    list(value = -2 * as.numeric(logLik(model)), theta = getME(model, "theta"))
  }, error = function(err) list(value = NA, theta = NULL))
}

folder <- commandArgs(trailingOnly = TRUE)[1]
jobs <- read.csv(file.path(folder, "jobs.csv"), colClasses = "character", na.strings = character(0))
found <- list()
for (row in seq_len(nrow(jobs))) {
  job <- jobs[row, ]
  data <- read.csv(file.path(folder, paste0(job$number, ".csv")))
  for (name in intersect(names(data), c("f", "g", "h", "j", "k"))) data[[name]] <- factor(data[[name]])
  for (reml in c(TRUE, FALSE)) {
    fits <- lapply(optimizers, function(control) criterion(job, data, reml, control))
    each <- sapply(fits, function(fit) fit$value)
    best <- if (all(is.na(each))) NULL else fits[[which.min(each)]]$theta
    found[[length(found) + 1]] <- data.frame(
      number = job$number, checksum = job$checksum, reml = if (reml) "True" else "False",
      lowest = sprintf("%.12g", suppressWarnings(min(each, na.rm = TRUE))),
      highest = sprintf("%.12g", suppressWarnings(max(each, na.rm = TRUE))),
      theta = paste(sprintf("%.17g", best), collapse = " ")
    )
  }
  if (row %% 20 == 0) cat(row, "models\n")
}
write.csv(do.call(rbind, found), file.path(folder, "fits.csv"), row.names = FALSE, quote = FALSE)
cat("lme4", as.character(packageVersion("lme4")), "R", as.character(getRversion()), "\n")
