# The worker process of the engine lme4: the protocol is described in base.py.

suppressPackageStartupMessages(library(lme4))

# lmer() follows the search with finite-difference derivatives, only to check convergence. From 1.1-38 on it leaves them
# out from so many rows or covariance parameters on, so older releases are told to do the same. (1.1-38 leaves them out
# of singular fits too, which is known too late here; the only one of the problems, dyestuff2, has one parameter.)
rows_limit <- 10000
parameters_limit <- 10

version <- function() {
  found <- packageDescription("lme4")
  rule <- if (package_version(found$Version) < "1.1-38") " with the derivative check of 1.1-38" else ""
  sprintf("%s of %s%s (R %s)", found$Version, substr(found$`Date/Publication`, 1, 4), rule, getRversion())
}
tests <- requireNamespace("lmerTest", quietly = TRUE)

answer <- function(...) {
  cat("{", paste(..., sep = ", "), "}\n", sep = "")
  flush(stdout())
}
number <- function(name, value) sprintf('"%s": %.17g', name, value)
text <- function(name, value) sprintf('"%s": "%s"', name, gsub('[\\\\"[:cntrl:]]', " ", value))

reset_peak <- function() try(writeLines("5", "/proc/self/clear_refs"), silent = TRUE)

peak_mb <- function() {
  if (!file.exists("/proc/self/status")) return(sum(gc()[, 6]))
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

# The number of covariance parameters is counted once, outside the clock.
control_for <- function(formula, data) {
  terms <- lFormula(formula, data)$reTrms
  small <- nrow(data) < rows_limit && length(terms$theta) < parameters_limit
  lmerControl(calc.derivs = small)
}

table_once <- function(formula, data, reml, control) {
  gc()
  cpu <- sum(proc.time()[1:2])
  wall <- Sys.time()
  fit <- if (tests) lmerTest::lmer else lme4::lmer
  model <- suppressMessages(suppressWarnings(fit(formula, data, REML = reml, control = control)))
  printed <- suppressMessages(suppressWarnings(capture.output(print(summary(model)))))
  seconds <- as.numeric(difftime(Sys.time(), wall, units = "secs"))
  cpu_seconds <- sum(proc.time()[1:2]) - cpu
  if (length(printed) < 10) stop("the summary was not printed")
  answer(
    number("seconds", seconds),
    number("cpu_seconds", cpu_seconds),
    text("df", if (tests) "Satterthwaite" else "none")
  )
}

fit_once <- function(formula, data, reml, control) {
  gc()
  cpu <- sum(proc.time()[1:2])
  wall <- Sys.time()
  model <- suppressMessages(suppressWarnings(lmer(formula, data, REML = reml, control = control)))
  criterion <- -2 * as.numeric(logLik(model))
  theta <- getME(model, "theta")
  beta <- fixef(model)
  seconds <- as.numeric(difftime(Sys.time(), wall, units = "secs"))
  cpu_seconds <- sum(proc.time()[1:2]) - cpu
  answer(
    number("seconds", seconds),
    number("cpu_seconds", cpu_seconds),
    number("evaluations", model@optinfo$feval),
    number("criterion", criterion),
    sprintf('"theta": [%s]', paste(sprintf("%.17g", theta), collapse = ", ")),
    number("p", length(beta)),
    number("peak_mb", peak_mb())
  )
}

arguments <- commandArgs(trailingOnly = TRUE)
formula <- as.formula(arguments[2])
reml <- arguments[3] == "REML"
factors <- strsplit(arguments[4], ",", fixed = TRUE)[[1]]
data <- read.csv(arguments[1], colClasses = setNames(rep("factor", length(factors)), factors))
control <- control_for(formula, data)
calls <- list(fit = fit_once, table = table_once)
invisible(gc())
reset_peak()
answer(
  text("version", version()),
  number("n", nrow(data))
)

input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) {
  if (line %in% names(calls)) {
    call <- calls[[line]]
    tryCatch(call(formula, data, reml, control), error = function(err) answer(text("error", conditionMessage(err))))
  }
}
