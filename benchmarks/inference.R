# Times what mixedsparse's inference is held against; prints "name seconds" per line.
# Arguments: sleepstudy.csv penicillin.csv dietox.csv replicates
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest)})
arguments <- commandArgs(trailingOnly = TRUE)
sleep <- read.csv(arguments[1], stringsAsFactors = TRUE)
penicillin <- read.csv(arguments[2], stringsAsFactors = TRUE)
dietox <- read.csv(arguments[3], stringsAsFactors = TRUE)
replicates <- as.integer(arguments[4])
sleep$Subject <- factor(sleep$Subject)
dietox$Pig <- factor(dietox$Pig)
clock <- function(name, expression) {
  seconds <- system.time(suppressWarnings(suppressMessages(force(expression))))[["elapsed"]]
  cat(name, seconds, "\n")
}
slopes <- lme4::lmer(Reaction ~ Days + (Days | Subject), sleep)
crossed <- lme4::lmer(diameter ~ 1 + (1 | plate) + (1 | sample), penicillin)
growth <- lmerTest::lmer(Weight ~ Time * Cu + (Time | Pig), dietox)
clock("profile, sleepstudy", profile(slopes))
clock("profile, Penicillin", profile(crossed))
clock("parametric bootstrap, sleepstudy", bootMer(slopes, function(m) c(fixef(m), getME(m, "theta"), sigma(m)), replicates))
clock("Kenward-Roger, dietox", summary(growth, ddf = "Kenward-Roger"))
