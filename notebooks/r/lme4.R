# The R side of 06_for_lme4_users.ipynb:  Rscript lme4.R > lme4.txt
# Each section of the output is headed by a line "## name"; the notebook shows section by section.
suppressPackageStartupMessages({
  library(lmerTest)
  library(pbkrtest)
  library(emmeans)
})
options(width = 76, digits = 7)
set.seed(1)
section <- function(name, code) {
  cat("## ", name, "\n", sep = "")
  print(code)
}
versions <- sapply(c("lme4", "lmerTest", "pbkrtest", "emmeans"), function(p) as.character(packageVersion(p)))
cat("## versions\n", R.version.string, "\n", paste(names(versions), versions, collapse = ", "), "\n", sep = "")

fit <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy)
section("summary", summary(fit))
section("VarCorr", as.data.frame(VarCorr(fit)))
section("ranef", head(as.data.frame(ranef(fit)), 3))
section("confint", confint(fit, quiet = TRUE, oldNames = FALSE))
section("ranova", ranova(fit))

data(Machines, package = "nlme")
machines <- lmer(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), Machines)
section("anova", anova(machines, type = 3, ddf = "Satterthwaite"))
section("anova-kr", anova(machines, type = 3, ddf = "Kenward-Roger"))
section("emmeans", pairs(emmeans(machines, "Machine", lmer.df = "satterthwaite")))
smaller <- lmer(score ~ 1 + (1 | Worker) + (1 | Worker:Machine), Machines)
section("lrt", anova(smaller, machines))

section("theta", getME(lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin), "theta"))
section("singular", VarCorr(lmer(Yield ~ 1 + (1 | Batch), Dyestuff2)))
