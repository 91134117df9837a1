# SPDX-License-Identifier: Apache-2.0
"""Golden numbers of test_golden.c, from scipy and statsmodels. Not run by the tests: run it by hand
(it needs python3-scipy and python3-statsmodels) and compare its output with golden.inc:
    python3 tests/unit/common_stats/golden.py > tests/unit/common_stats/golden.inc
Samples are written out so that the C test needs no random numbers of numpy's."""
import numpy as np
import scipy
from scipy import stats
import statsmodels
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(4)
out = print
out("/* SPDX-License-Identifier: Apache-2.0 */")
out("/* Made by golden.py; do not edit. scipy %s, statsmodels %s, numpy %s. */"
    % (scipy.__version__, statsmodels.__version__, np.__version__))


def array(name, values):
    out("static const double %s[] = {" % name)
    for v in values:
        out("    %s," % ("NAN" if np.isnan(v) else repr(float(v))))
    out("};")


def table(struct, name, rows):
    out("static const %s %s[] = {" % (struct, name))
    for r in rows:
        out("    { " + ", ".join(v if isinstance(v, str) else repr(int(v)) if isinstance(v, (int, np.integer)) else
                                 "NAN" if np.isnan(v) else repr(float(v)) for v in r) + " },")
    out("};")


# distributions: scipy.stats.{norm,t,chi2,binom,beta}
table("struct golden3", "golden_t", [(x, f, 2 * stats.t.sf(abs(x), f)) for f in (1, 2, 3.7, 4, 9, 29.5, 200, 5e4)
                                     for x in (0.0, 0.3, 1.0, 2.5, 6.0, 40.0)])
table("struct golden3", "golden_t_quantile", [(p, f, stats.t.ppf(p, f)) for f in (1, 2, 4, 7.3, 30, 1e3, 1e6)
                                              for p in (0.025, 0.2, 0.5, 0.9, 0.975, 0.9995)])
table("struct golden3", "golden_chi2", [(x, f, stats.chi2.sf(x, f)) for f in (1, 2, 5.5, 30)
                                        for x in (0.001, 0.5, 3.84, 10.0, 60.0)])
table("struct golden2", "golden_normal", [(p, stats.norm.ppf(p)) for p in
                                          (1e-12, 1e-5, 0.01, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999)])

# samples: numpy's mean, var(ddof=1), median, quantile (linear, that is type 7)
x = np.round(rng.lognormal(0.0, 1.0, 23), 6)
array("golden_x", x)
table("struct golden2", "golden_quantile", [(p, np.quantile(x, p)) for p in (0.0, 0.05, 0.25, 0.5, 0.77, 0.975, 1.0)])
array("golden_moments", [np.mean(x), np.var(x, ddof=1), np.std(x, ddof=1), stats.sem(x), np.median(x)])
# t interval: scipy.stats.t.interval(0.95, n - 1, mean, sem)
array("golden_seeds", list(stats.t.interval(0.95, 4, np.mean(x[:5]), stats.sem(x[:5]))))

# pairs: ttest_rel, wilcoxon, permutation_test (exact over all sign flips for the first 12)
a = np.round(rng.normal(0.4, 1.0, 60), 6)
b = np.round(a - rng.normal(0.25, 0.8, 60), 6)
array("golden_a", a)
array("golden_b", b)
d = a - b
exact = stats.permutation_test((d[:12],), np.mean, permutation_type="samples", n_resamples=np.inf)
ties_a = np.rint(a * 10)  # whole numbers, so that ties are exact
ties_b = np.rint(b * 10)
array("golden_paired", [
    np.mean(d), stats.ttest_rel(a, b).pvalue, stats.ttest_rel(a[:12], b[:12]).pvalue, exact.pvalue,
    stats.wilcoxon(a[:20], b[:20]).pvalue,                      # exact
    stats.wilcoxon(a, b, mode="approx").pvalue,                 # 60: normal
    stats.wilcoxon(ties_a, ties_b, mode="approx").pvalue,       # with ties and zeros
    stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=400000, random_state=1).pvalue,
])
# BCa of the mean with many resamples (Monte-Carlo error of the ends about 0.001 of the width)
for name, v in (("golden_bca_x", x), ("golden_bca_d", d)):
    i = stats.bootstrap((v,), np.mean, n_resamples=400000, batch=2000, method="BCa", random_state=2).confidence_interval
    array(name, [i.low, i.high])

# seeds: ttest_ind(equal_var=False), ttest_rel
array("golden_welch", [stats.ttest_ind(a[:5], b[10:14], equal_var=False).statistic,
                       stats.ttest_ind(a[:5], b[10:14], equal_var=False).pvalue,
                       stats.ttest_rel(a[:5], b[:5]).statistic, stats.ttest_rel(a[:5], b[:5]).pvalue])
va, vb = np.var(a[:5], ddof=1) / 5, np.var(b[10:14], ddof=1) / 4
freedom = (va + vb) ** 2 / (va ** 2 / 4 + vb ** 2 / 3)  # Welch and Satterthwaite, by hand
half = stats.t.ppf(0.975, freedom) * np.sqrt(va + vb)
center = np.mean(a[:5]) - np.mean(b[10:14])
array("golden_welch_interval", [freedom, center - half, center + half])

# statsmodels mcnemar: exact, and with continuity correction
table("struct golden_mcnemar", "golden_mcnemar", [
    (f, g, mcnemar([[10, f], [g, 10]], exact=True).pvalue, mcnemar([[10, f], [g, 10]], exact=False, correction=True).pvalue)
    for f, g in ((0, 1), (1, 6), (5, 9), (10, 2), (30, 12), (121, 59), (1000, 1100))])
# statsmodels multipletests(method="holm")
p = np.array([0.01, 0.04, 0.03, 0.005, 0.9, 0.04, 0.2])
array("golden_p", p)
array("golden_holm", multipletests(p, method="holm")[1])
