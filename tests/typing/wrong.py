"""What a type checker has to find: words that options do not know, and names that are not there."""

import mixedsparse as ms

sleep = ms.datasets.load("sleepstudy")
fit = ms.lmer("Reaction ~ Days + (Days | Subject)", sleep)

fit.coef_table(ddf="satterthwait")  # wrong
fit.predict(sleep, interval="confidnce")  # wrong
fit.conf_int(method="walt")  # wrong
fit.anova(type=4)  # wrong
fit.tidy(ddf="kenward")  # wrong
fit.emmeans("Days", weights="proportion")  # wrong
fit.drop1(test="LRT")  # wrong
ms.lmer("Reaction ~ Days + (Days | Subject)", sleep, method="fast")  # wrong
ms.FitOptions(backend="dense")  # wrong
fit.vif(by="columns")  # wrong
fit.coef_table("kenward-roger", information="average")  # wrong
fit.plot.residuals(kind="pearson")  # wrong
print(fit.parameters)  # wrong
print(fit.params + 1.0)

binary = ms.glmer("r2 ~ Anger + (1 | id)", ms.datasets.load("VerbAgg"), "binomial")
binary.residuals("quantil")  # wrong
binary.predict(type="logit")  # wrong
binary.cov_params("marginal")  # wrong
binary.plot.residuals(kind="studentized")  # wrong
binary.conf_int(method="walt")  # wrong
ms.glmer("r2 ~ Anger + (1 | id)", ms.datasets.load("VerbAgg"), method="fast")  # wrong
print(binary.parameters)  # wrong
