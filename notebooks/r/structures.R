# Outputs that notebooks/13_for_nlme_users.ipynb shows beside ours: Rscript structures.R > structures.txt
suppressPackageStartupMessages({library(nlme); library(glmmTMB); library(emmeans)})
options(width = 88, digits = 6)
section <- function(name) cat("## ", name, "\n", sep = "")
data(Orthodont); data(Machines); data(sleepstudy, package = "lme4")
fev <- read.csv("../../mixedsparse/datasets/data/fev.csv", stringsAsFactors = TRUE)
teeth <- transform(as.data.frame(Orthodont), Subject = factor(Subject, ordered = FALSE), Sex = factor(Sex))
machines <- transform(as.data.frame(Machines), Worker = factor(Worker, ordered = FALSE))
tight <- lmeControl(msTol = 1e-12, tolerance = 1e-10, opt = "optim")

section("versions")
cat(R.version.string, "\n")
for (p in c("nlme", "glmmTMB", "emmeans")) cat(p, as.character(packageVersion(p)), "\n")

section("varIdent")
m <- lme(distance ~ age * Sex, teeth, random = ~ 1 | Subject, weights = varIdent(form = ~ 1 | Sex), control = tight)
cat("-2 log L (REML)", format(-2 * c(logLik(m)), digits = 9), "\n")
ratio <- coef(m$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
cat("residual SD", sprintf("%s %.4f ", names(ratio), m$sigma * ratio), "\n")
print(summary(m)$tTable[, 1:3])

section("dispformula")
t <- glmmTMB(distance ~ age * Sex + (1 | Subject), teeth, dispformula = ~ Sex, REML = TRUE)
cat("-2 log L (REML)", format(-2 * c(logLik(t)), digits = 9), "\n")
print(summary(t)$coefficients$cond[, 1:3])
cat("log sigma^2:", format(fixef(t)$disp, digits = 5), "\n")

section("corAR1")
a <- lme(Reaction ~ Days, sleepstudy, random = ~ 1 | Subject, correlation = corAR1(form = ~ Days | Subject),
         method = "ML", control = tight)
cat("-2 log L (ML)", format(-2 * c(logLik(a)), digits = 9), "\n")
cat("SD of Intercept", sqrt(getVarCov(a)[1, 1]), " sigma", a$sigma,
    " rho", coef(a$modelStruct$corStruct, unconstrained = FALSE), "\n")
print(summary(a)$tTable[, 1:3])

section("corSymm")
fev$visit <- as.integer(fev$AVISIT)
g <- gls(FEV1 ~ ARMCD * AVISIT, fev, corSymm(form = ~ visit | USUBJID), varIdent(form = ~ 1 | AVISIT),
         control = glsControl(msTol = 1e-12, tolerance = 1e-10))
cat("-2 log L (REML)", format(-2 * c(logLik(g)), digits = 9), "\n")
print(summary(g)$tTable[, 1:2])

section("toep and cs")
for (kind in c("diag", "cs", "toep", "us")) {
  e <- glmmTMB(as.formula(sprintf("score ~ Machine + %s(0 + Machine | Worker)", kind)), machines, REML = TRUE)
  cat(sprintf("%-5s -2 log L %.5f  df %d  SD %s\n", kind, -2 * c(logLik(e)), attr(logLik(e), "df"),
              paste(format(attr(VarCorr(e)$cond$Worker, "stddev"), digits = 5), collapse = " ")))
}

section("emmeans")
print(emmeans(m, ~ Sex, at = list(age = c(8, 14)), by = "age", mode = "containment"))
