# The worker process of lme4 and glmmTMB: the protocol is described in base.py.

arguments <- commandArgs(trailingOnly = TRUE)
package <- arguments[1]
suppressPackageStartupMessages(library(package, character.only = TRUE))

answer <- function(...) {
  cat("{", paste(..., sep = ", "), "}\n", sep = "")
  flush(stdout())
}
digits <- function(values) paste(sprintf("%.17g", values), collapse = ", ")
number <- function(name, value) sprintf('"%s": %s', name, if (is.finite(value)) digits(value) else "null")
text <- function(name, value) sprintf('"%s": "%s"', name, gsub('[\\\\"[:cntrl:]]', " ", value))
square <- function(m) sprintf("[%s]", paste(apply(m, 1, function(row) sprintf("[%s]", digits(row))), collapse = ", "))
matrices <- function(name, list) {
  sprintf('"%s": {%s}', name, paste(sprintf('"%s": %s', names(list), vapply(list, square, "")), collapse = ", "))
}

reset_peak <- function() try(writeLines("5", "/proc/self/clear_refs"), silent = TRUE)

peak_mb <- function() {
  if (!file.exists("/proc/self/status")) return(sum(gc()[, 6]))
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

by_lme4 <- function(formula, data, family) {
  model <- glmer(formula, data, family = family, nAGQ = 1)
  list(
    beta = fixef(model), covariances = VarCorr(model), errors = sqrt(diag(vcov(model))),
    evaluations = model@optinfo$feval, reported = -2 * as.numeric(logLik(model))
  )
}

by_glmmTMB <- function(formula, data, family) {
  model <- glmmTMB(formula, data, family = family)
  list(
    beta = fixef(model)$cond, covariances = VarCorr(model)$cond, errors = sqrt(diag(vcov(model)$cond)),
    evaluations = model$fit$evaluations[["function"]], reported = -2 * as.numeric(logLik(model))
  )
}

fit <- list(lme4 = by_lme4, glmmTMB = by_glmmTMB)[[package]]

fit_once <- function() {
  gc()
  cpu <- sum(proc.time()[1:2])
  wall <- Sys.time()
  found <- suppressMessages(suppressWarnings(fit(formula, data, family)))
  seconds <- as.numeric(difftime(Sys.time(), wall, units = "secs"))
  cpu_seconds <- sum(proc.time()[1:2]) - cpu
  answer(
    number("seconds", seconds),
    number("cpu_seconds", cpu_seconds),
    number("evaluations", found$evaluations),
    number("reported", found$reported),
    sprintf('"beta": [%s]', digits(found$beta)),
    matrices("covariances", found$covariances),
    number("peak_mb", peak_mb())
  )
}

formula <- as.formula(arguments[3])
family <- arguments[4]
factors <- strsplit(arguments[5], ",", fixed = TRUE)[[1]]
data <- read.csv(arguments[2], colClasses = setNames(rep("factor", length(factors)), factors))
invisible(gc())
reset_peak()
answer(
  text("version", sprintf("%s (R %s)", packageDescription(package)$Version, getRversion())),
  number("n", nrow(data))
)

input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) {
  if (line == "fit") {
    tryCatch(fit_once(), error = function(err) answer(text("error", conditionMessage(err))))
  }
}
