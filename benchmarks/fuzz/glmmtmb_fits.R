# Fits random generalized models by glmmTMB, with two optimisers, and writes what it reaches: see glmmtmb_fits.py.
# Argument: folder with jobs.csv and one CSV file per model; fits.csv is written there.

suppressPackageStartupMessages(library(glmmTMB))

families <- list(
  binomial = binomial, poisson = poisson, negative_binomial = function(link) nbinom2(link),
  gamma = function(link) Gamma(link)
)
controls <- list(
  nlminb = glmmTMBControl(), BFGS = glmmTMBControl(optimizer = optim, optArgs = list(method = "BFGS"))
)

# Entries of the Cholesky factor of a covariance matrix, lower triangle by columns; NULL where there is none.
entries <- function(covariance) {
  size <- sqrt(pmax(diag(covariance), 0))
  scaled <- covariance / outer(pmax(size, 1e-12), pmax(size, 1e-12))
  factor <- tryCatch(t(chol(scaled + 1e-10 * diag(length(size)))), error = function(err) NULL)
  if (is.null(factor)) NULL else (factor * size)[lower.tri(factor, diag = TRUE)]
}

fitted <- function(job, data, control) {
  arguments <- list(
    formula = as.formula(job$formula), data = data, control = control, family = families[[job$family]](link = job$link)
  )
  if (job$offset != "") arguments$offset <- data[[job$offset]]
  tryCatch({
    model <- suppressWarnings(suppressMessages(do.call(glmmTMB, arguments)))
    value <- -2 * (-model$fit$objective)
    # Terms by decreasing number of levels, ties as in the formula.
    terms <- VarCorr(model)$cond
    levels <- sapply(model$modelInfo$reStruc$condReStruc, function(term) term$blockReps)
    theta <- unlist(lapply(terms[order(-levels)], function(term) entries(unclass(term)[, , drop = FALSE])))
    dispersion <- switch(job$family, negative_binomial = sigma(model), gamma = 1 / sigma(model)^2, NA)
    list(value = value, theta = theta, beta = fixef(model)$cond, dispersion = dispersion, pd = isTRUE(model$sdr$pdHess))
  }, error = function(err) list(value = NA))
}

folder <- commandArgs(trailingOnly = TRUE)[1]
jobs <- read.csv(file.path(folder, "jobs.csv"), colClasses = "character", na.strings = character(0))
found <- list()
for (row in seq_len(nrow(jobs))) {
  job <- jobs[row, ]
  data <- read.csv(file.path(folder, paste0(job$number, ".csv")))
  for (name in intersect(names(data), c("f", "g", "h", "row"))) data[[name]] <- factor(data[[name]])
  fits <- lapply(controls, function(control) fitted(job, data, control))
  each <- sapply(fits, function(fit) fit$value)
  best <- if (all(is.na(each))) list(value = NA, dispersion = NA, pd = FALSE) else fits[[which.min(each)]]
  text <- function(values) paste(sprintf("%.17g", values), collapse = " ")
  number <- function(value) if (is.finite(value)) sprintf("%.12g", value) else "nan"
  found[[row]] <- data.frame(
    number = job$number, checksum = job$checksum, lowest = number(best$value),
    positive = if (isTRUE(best$pd)) "True" else "False", theta = text(best$theta), beta = text(best$beta),
    dispersion = number(best$dispersion)
  )
  if (row %% 20 == 0) cat(row, "models\n")
}
write.csv(do.call(rbind, found), file.path(folder, "fits.csv"), row.names = FALSE, quote = FALSE)
cat("glmmTMB", as.character(packageVersion("glmmTMB")), "R", as.character(getRversion()), "\n")
