# Fit a model by lme4 and write it as a golden file. From the top of the repository:
#
#   Rscript tests/golden/case.R CASE DATASET FORMULA [ML] [column=contr.sum ...]
#
# DATASET is one of tests/data (with its JSON of columns) or bundled. Needs the packages lme4 and jsonlite.
suppressPackageStartupMessages({
  library(lme4)
  library(jsonlite)
})
RANEF_LEVELS <- 6
FITTED_ROWS <- 6

read_columns <- function(dataset) {
  described <- file.path("tests", "data", paste0(dataset, ".json"))
  if (file.exists(described)) {
    about <- fromJSON(described, simplifyVector = FALSE)
    columns <- setNames(about$columns, sapply(about$columns, `[[`, "name"))
    list(file = file.path("tests", "data", about$file), columns = columns)
  } else {
    folder <- file.path("mixedsparse", "datasets", "data")
    about <- fromJSON(file.path(folder, "catalogue.json"), simplifyVector = FALSE)[[dataset]]
    if (is.null(about)) stop("no data set ", dataset)
    list(file = file.path(folder, about$file), columns = about$columns)
  }
}

read_data <- function(dataset) {
  about <- read_columns(dataset)
  frame <- read.csv(about$file, check.names = FALSE, na.strings = "NA", colClasses = "character")
  for (name in names(about$columns)) {
    column <- about$columns[[name]]
    kind <- if (is.null(column$kind)) column$type else column$kind
    if (kind %in% c("factor", "ordered")) {
      labels <- unique(frame[[name]])
      levels <- if (is.list(column$levels)) unlist(column$levels)
        else if (identical(column$levels, "numeric")) labels[order(as.numeric(labels))]
        else sort(labels, method = "radix")
      frame[[name]] <- factor(frame[[name]], levels = levels, ordered = kind == "ordered")
    } else {
      frame[[name]] <- as.numeric(frame[[name]])
    }
  }
  frame
}

fit_by <- function(optimizer, control, ...) {
  # Tolerances at rounding level: a golden file holds the optimum, not where a default stops.
  lmer(..., control = lmerControl(optimizer = optimizer, optCtrl = control, calc.derivs = FALSE))
}

rows_of <- function(m) lapply(seq_len(nrow(m)), function(i) as.list(unname(m[i, ])))

golden <- function(case, dataset, text, reml, contrasts) {
  frame <- read_data(dataset)
  both <- suppressMessages(list(
    fit_by("bobyqa", list(rhoend = 1e-10, maxfun = 1e5), as.formula(text), frame, REML = reml, contrasts = contrasts),
    fit_by("nloptwrap", list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5), as.formula(text), frame, REML = reml,
           contrasts = contrasts)
  ))
  criteria <- sapply(both, function(m) -2 * as.numeric(logLik(m)))
  m <- both[[which.min(criteria)]]
  theta <- unname(getME(m, "theta"))
  modes <- ranef(m, condVar = TRUE)
  criterion <- as.function(m)
  at <- list(unname(getME(both[[1]], "lower") == 0) + 0, theta / 2, theta * 1.3)
  list(
    case = case,
    program = sprintf("R %s.%s, lme4 %s", R.version$major, R.version$minor, packageVersion("lme4")),
    dataset = dataset, formula = text, weights = NULL, offset = NULL,
    contrasts = contrasts, subset = NULL, notes = NULL,
    random_terms = unname(Map(function(group, columns, k) list(group = group, columns = as.list(columns), n_levels = k),
      names(m@cnms), m@cnms, sapply(m@flist[names(m@cnms)], nlevels))),
    criterion_at = lapply(at, function(t) list(theta = as.list(t), value = criterion(t))),
    reml = reml, rescaled = FALSE, nobs = nobs(m), n_rows_data = nrow(frame), df = attr(logLik(m), "df"),
    criterion = min(criteria), criterion_uncertainty = abs(diff(criteria)),
    theta = as.list(theta), theta_identifiable = TRUE, singular = isSingular(m), sigma = sigma(m),
    beta_names = as.list(names(fixef(m))), beta = as.list(unname(fixef(m))),
    se = as.list(unname(sqrt(diag(as.matrix(vcov(m)))))),
    dropped_columns = as.list(names(attr(getME(m, "X"), "col.dropped"))),
    varcorr = unname(Map(function(group, cov) list(group = group, names = as.list(rownames(cov)), cov = rows_of(cov)),
      names(m@cnms), VarCorr(m))),
    AIC = AIC(m), BIC = BIC(m), fitted_head = as.list(unname(head(fitted(m), FITTED_ROWS))),
    resid_sumsq = sum(residuals(m)^2),
    ranef = lapply(modes, function(block) {
      shown <- seq_len(min(nrow(block), RANEF_LEVELS))
      variances <- attr(block, "postVar")
      entry <- list(columns = as.list(names(block)), n_levels = nrow(block), levels = as.list(rownames(block)[shown]),
        values = rows_of(as.matrix(block)[shown, , drop = FALSE]))
      if (is.array(variances)) entry$condsd <- lapply(shown, function(i) as.list(sqrt(diag(as.matrix(variances[, , i])))))
      entry
    })
  )
}

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) < 3) stop("usage: Rscript tests/golden/case.R CASE DATASET FORMULA [ML] [column=contr.sum ...]")
coded <- grep("=", arguments[-(1:3)], value = TRUE)
contrasts <- if (length(coded)) as.list(setNames(sub(".*=", "", coded), sub("=.*", "", coded)))
content <- golden(arguments[1], arguments[2], arguments[3], !"ML" %in% arguments[-(1:3)], contrasts)
path <- file.path("tests", "golden", paste0(arguments[1], ".json"))
lines <- mapply(function(key, value) sprintf(' "%s": %s', key, toJSON(value, auto_unbox = TRUE, digits = I(17), null = "null")),
  names(content), content)
writeLines(c("{", paste(lines, collapse = ",\n"), "}"), path)
cat(path, "\n")
