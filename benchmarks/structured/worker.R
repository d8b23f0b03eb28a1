# The worker of programs of R: the protocol is described in measure.py.

arguments <- commandArgs(trailingOnly = TRUE)
program <- arguments[1]
suppressPackageStartupMessages(library(program, character.only = TRUE))

answer <- function(...) {
  cat("{", paste(..., sep = ", "), "}\n", sep = "")
  flush(stdout())
}
number <- function(name, value) {
  sprintf('"%s": %s', name, if (length(value) == 1 && is.finite(value)) sprintf("%.17g", value) else "null")
}
text <- function(name, value) sprintf('"%s": "%s"', name, gsub('[\\\\"[:cntrl:]]', " ", value))

evaluations <- function(model) {
  switch(program, glmmTMB = model$fit$evaluations[["function"]], lme4 = model@optinfo$feval, NA)
}

factors <- strsplit(arguments[4], ",", fixed = TRUE)[[1]]
d <- read.csv(arguments[2], colClasses = setNames(rep("factor", length(factors)), factors))
call <- parse(text = arguments[3])[[1]]

fit_once <- function() {
  gc()
  cpu <- sum(proc.time()[1:2])
  model <- suppressMessages(suppressWarnings(eval(call)))
  errors <- sqrt(diag(as.matrix(if (program == "glmmTMB") vcov(model)$cond else vcov(model))))
  cpu_seconds <- sum(proc.time()[1:2]) - cpu
  answer(
    number("cpu_seconds", cpu_seconds),
    number("evaluations", evaluations(model)),
    number("criterion", -2 * as.numeric(logLik(model)))
  )
}

answer(
  text("version", sprintf("%s (R %s)", packageDescription(program)$Version, getRversion())),
  number("n", nrow(d))
)
input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) {
  if (line == "fit") {
    tryCatch(fit_once(), error = function(err) answer(text("error", conditionMessage(err))))
  }
}
