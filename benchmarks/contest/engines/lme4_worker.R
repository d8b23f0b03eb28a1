# The worker process of the engine lme4: the protocol is described in base.py.

suppressPackageStartupMessages(library(lme4))

# lmer() follows the search with finite-difference derivatives, only to check convergence. On big data they cost as
# much as the search, and newer releases of lme4 leave them out there; so are they here.
derivative_limit <- 100000

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

fit_once <- function(formula, data, reml) {
  control <- lmerControl(calc.derivs = nrow(data) < derivative_limit)
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
invisible(gc())
reset_peak()
answer(
  text("version", sprintf("%s (R %s)", packageDescription("lme4")$Version, getRversion())),
  number("n", nrow(data))
)

input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) {
  if (line == "fit") {
    tryCatch(fit_once(formula, data, reml), error = function(err) answer(text("error", conditionMessage(err))))
  }
}
