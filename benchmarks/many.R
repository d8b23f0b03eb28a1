# Seconds that lme4 takes for each refit. Arguments: design.csv responses.csv
suppressMessages(library(lme4))
arguments <- commandArgs(trailingOnly = TRUE)
design <- read.csv(arguments[1], stringsAsFactors = TRUE)
responses <- as.matrix(read.csv(arguments[2], header = FALSE))
design$y <- responses[, 1]
first <- suppressWarnings(suppressMessages(lmer(y ~ c + (1 + c | s) + (1 | i), design)))
seconds <- system.time(
  for (k in seq_len(ncol(responses))) suppressWarnings(suppressMessages(refit(first, responses[, k])))
)[["elapsed"]]
cat(seconds / ncol(responses), "\n")
