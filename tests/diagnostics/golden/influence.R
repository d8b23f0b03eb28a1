# Rscript influence.R > influence.json          (R 4.2.2, lme4 1.1-31, car 3.1-1)
suppressMessages({library(lme4); library(jsonlite)})
sleepstudy$w <- 0.5 + (seq_len(nrow(sleepstudy)) %% 7) / 4
data(Machines, package = "nlme")
Machines <- transform(as.data.frame(Machines), Worker = factor(Worker, ordered = FALSE))
sharp <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5))

# Rows: hat values, Cook's distances, standardised residuals. Groups: fits to the other rows.
rows <- function(m) list(hatvalues = unname(hatvalues(m)), cooks_distance = unname(cooks.distance(m)),
                         standardized = unname(rstudent(m)))
both <- function(m, factor, data) {
  deleted <- influence(m, factor, data)
  b <- as.matrix(deleted[[sprintf("fixed.effects[-%s]", factor)]])
  move <- sweep(b, 2, fixef(m))
  cooks <- apply(move, 1, function(d) drop(as.matrix(d %*% solve(vcov(m), d))) / length(d))
  sigma <- sqrt(unname(deleted[[sprintf("var.cov.comps[-%s]", factor)]][, "sigma^2"]))
  c(rows(m), list(groups = list(levels = as.character(deleted$deleted), params = unname(b), sigma = sigma,
                                dfbetas = unname(as.matrix(-dfbetas(deleted))), cooks_distance = unname(cooks))))
}
slopes <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy, control = sharp)
weighted <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy, weights = w, control = sharp)
crossed <- lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin, control = sharp)
nested <- lmer(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), Machines, control = sharp)
cakes <- lmer(angle ~ recipe + temp + recipe:temp + (1 | recipe:replicate), cake)
cat(toJSON(list(slopes = both(slopes, "Subject", sleepstudy), weighted = both(weighted, "Subject", sleepstudy),
                crossed = rows(crossed), nested = both(nested, "Worker", Machines),
                vif = suppressMessages(car::vif(cakes))), digits = 14))
