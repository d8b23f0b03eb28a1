# Outputs that notebooks/11_for_glmer_users.ipynb shows beside ours: Rscript glmm.R > glmm.txt
suppressPackageStartupMessages({library(lme4); library(glmmTMB); library(emmeans)})
options(width = 88, digits = 6)
section <- function(name) cat("## ", name, "\n", sep = "")

section("versions")
cat(R.version.string, "\n")
for (p in c("lme4", "glmmTMB", "emmeans")) cat(p, as.character(packageVersion(p)), "\n")

cbpp_formula <- cbind(incidence, size - incidence) ~ period + (1 | herd)
m <- glmer(cbpp_formula, cbpp, binomial)
section("summary")
print(summary(m), correlation = FALSE)

section("glmmTMB")
print(summary(glmmTMB(cbpp_formula, cbpp, family = binomial)))

section("quadrature")
q <- glmer(cbpp_formula, cbpp, binomial, nAGQ = 9)
cat("theta ", getME(q, "theta"), "\n")
cat("deviance as lme4 reports it ", -2 * logLik(q), "\n")
print(fixef(q))

section("emmeans")
print(emmeans(m, ~ period, type = "response"))

section("contrasts")
print(pairs(emmeans(m, ~ period, type = "response")))

section("probit")
p <- glmer(cbpp_formula, cbpp, binomial("probit"))
t <- glmmTMB(cbpp_formula, cbpp, family = binomial("probit"))
cat("glmer    -2 log L", format(c(-2 * logLik(p)), digits = 9), " theta", format(getME(p, "theta"), digits = 6), "\n")
cat("glmmTMB  -2 log L", format(c(-2 * logLik(t)), digits = 9), " theta",
    format(attr(VarCorr(t)$cond$herd, "stddev"), digits = 6), "\n")

section("gamma")
g <- suppressWarnings(glmer(Reaction ~ Days + (1 | Subject), sleepstudy, Gamma("log")))
t <- glmmTMB(Reaction ~ Days + (1 | Subject), sleepstudy, family = Gamma("log"))
line <- function(who, loglik, sd, se)
  cat(sprintf("%-8s -2 log L %9.3f   sd %.5f   SE of Days %.6f\n", who, -2 * loglik, sd, se))
line("glmer", c(logLik(g)), attr(VarCorr(g)$Subject, "stddev"), sqrt(vcov(g)[2, 2]))
line("glmmTMB", c(logLik(t)), attr(VarCorr(t)$cond$Subject, "stddev"), sqrt(vcov(t)$cond[2, 2]))
