# Times what mixedsparse's inference is held against: prints the versions, then the seconds of the calls of each task, as
# JSON. Every task ends in a table, and its first call is not counted.
# Arguments: sleepstudy.csv penicillin.csv dietox.csv replicates calls
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest)})
arguments <- commandArgs(trailingOnly = TRUE)
sleep <- read.csv(arguments[1], stringsAsFactors = TRUE)
penicillin <- read.csv(arguments[2], stringsAsFactors = TRUE)
dietox <- read.csv(arguments[3], stringsAsFactors = TRUE)
replicates <- as.integer(arguments[4])
sleep$Subject <- factor(sleep$Subject)
dietox$Pig <- factor(dietox$Pig)
calls <- as.integer(arguments[5])
versions <- sapply(c("lme4", "lmerTest", "pbkrtest"), function(name) paste(name, packageDescription(name)$Version))
cat(sprintf('{"versions": "%s (R %s)"}\n', paste(versions, collapse = ", "), getRversion()))

clock <- function(name, task) {
  once <- function() sum(system.time(suppressWarnings(suppressMessages(task())))[1:2])
  once()
  seconds <- replicate(calls, once())
  cat(sprintf('{"task": "%s", "seconds": [%s]}\n', name, paste(seconds, collapse = ", ")))
}
slopes <- lme4::lmer(Reaction ~ Days + (Days | Subject), sleep)
crossed <- lme4::lmer(diameter ~ 1 + (1 | plate) + (1 | sample), penicillin)
growth <- lmerTest::lmer(Weight ~ Time * Cu + (Time | Pig), dietox)
estimates <- function(m) c(fixef(m), getME(m, "theta"), sigma(m))
clock("profile, sleepstudy", function() as.data.frame(profile(slopes)))
clock("profile, Penicillin", function() as.data.frame(profile(crossed)))
clock("parametric bootstrap, sleepstudy", function() as.data.frame(bootMer(slopes, estimates, replicates)))
clock("Kenward-Roger, dietox", function() coef(summary(growth, ddf = "Kenward-Roger")))
