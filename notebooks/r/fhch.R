# The R side of 14_from_trials_to_word.ipynb:  Rscript fhch.R trials.csv
# trials.csv: mixedsparse.datasets.load("fhch").to_csv("trials.csv", index=False) in Python.
suppressPackageStartupMessages({
  library(lmerTest)
  library(emmeans)
})
options(digits = 8)
emm_options(lmer.df = "satterthwaite", lmerTest.limit = 1e5)
f <- read.csv(commandArgs(TRUE)[1], stringsAsFactors = TRUE)
f$stimulus <- factor(f$stimulus, c("word", "nonword"))
for (v in c("density", "frequency")) f[[v]] <- factor(f[[v]], c("low", "high"))
for (v in c("stimulus", "density", "frequency")) contrasts(f[[v]]) <- contr.sum(2)
m <- lmer(log_rt ~ stimulus * density * frequency + (stimulus | id) + (1 | item), f)
print(lme4::REMLcrit(m))
print(anova(m))
e <- emmeans(m, ~ stimulus * frequency)
print(e)
print(pairs(e, simple = "frequency"))
print(contrast(e, interaction = "pairwise"))
