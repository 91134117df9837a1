/* SPDX-License-Identifier: Apache-2.0 */
/* router.h - small networks that choose a routing from the states of the prompt (Dr.LLM, arXiv
 * 2510.12773, section 3; the success router is drover's own).
 *
 * A router is a folder: config.json says what it is, router.safetensors holds its matrices.
 * Kind "labels": per layer a network that maps the state in front of the layer to the three
 * decisions. Kind "success": one network that maps the state behind decide_layer executed layers to
 * the chance that each of a family of paths answers rightly; path 0 is the default path (every
 * layer once). Several such networks of different seeds (members) give the mean of their chances.
 * Features of a prompt of T rows: windows  the means of W' = min(windows, T) neighbouring parts of
 * floor(T / W') rows each (rows that are left over at the end are not used); each goes through the
 * network and the outputs are averaged, which, as the last layer is linear, is done in front of it
 *   last     its last row
 *   joined   those means one behind the other as one input of windows * dim floats; with T <
 *            windows part i is row i * T / windows
 *   both     joined, and behind it the last row: (windows + 1) * dim floats
 *   tail     its last WINDOWS rows one behind the other (the first one repeated when T < windows)
 * The guard of a success router (may be absent) tells prompts that it was not trained on, for which
 * the default path is taken: those with fewer or more rows than any in training, and those whose
 * features lie too far from the training examples' (router_guard_distance()).
 * A network is linear layers with tanh-approximated GELU between them.
 * The bits depend neither on the batch nor on the CPU level. Numeric class: "packed-1". */
#ifndef WORKER_MODEL_ROUTER_H
#define WORKER_MODEL_ROUTER_H

#include "common/base/digest.h"
#include "worker/model/sweep.h"

enum router_kind { ROUTER_LABELS, ROUTER_SUCCESS };
enum router_features { ROUTER_WINDOWS, ROUTER_LAST, ROUTER_JOINED, ROUTER_TAIL, ROUTER_BOTH };
/* LAYER: the states in front of each layer (success: behind decide_layer layers). EMBEDDING: those
 * in front of layer 0, for all decisions. */
enum router_input { ROUTER_LAYER, ROUTER_EMBEDDING };
enum {
    ROUTER_DEPTH_MAX = 4,
    ROUTER_WINDOWS_MAX = 32,
    ROUTER_WIDTH_MAX = 4096,
    ROUTER_PATHS_MAX = 256,
    ROUTER_MEMBERS_MAX = 8,
    ROUTER_SKIPS_MAX = 2,    /* in a row */
    ROUTER_GUARD_MAX = 1024, /* inputs that a guard looks at */
};

struct router_conf {
    enum router_kind kind;
    enum router_features features;
    enum router_input input;
    struct digest model; /* whose states it knows */
    size_t layers, dim;  /* of that model */
    size_t windows;      /* 1 with ROUTER_LAST */
    size_t bottleneck;   /* width between the linear layers */
    size_t depth;        /* linear layers */
    size_t decide_layer; /* success: every path executes the layers below once */
    size_t paths;        /* success: outputs; 0 for labels */
    size_t members;      /* success: networks whose chances are averaged; 0 for labels */
};
/* ERR_INVALID names the field and its range. */
int router_conf_check(const struct router_conf *c, struct err *err) MUST_CHECK;
size_t router_heads(const struct router_conf *c);   /* networks: layers, or members */
size_t router_inputs(const struct router_conf *c);  /* of each: dim, or several times that */
size_t router_outputs(const struct router_conf *c); /* of each: 3, or paths */
/* Inputs and outputs of linear layer I. */
size_t router_in(const struct router_conf *c, size_t i);
size_t router_out(const struct router_conf *c, size_t i);

/* One network. Linear layer i maps X to X W^T + bias. */
struct router_head {
    struct packed w[ROUTER_DEPTH_MAX];
    float *bias[ROUTER_DEPTH_MAX];
};

/* Which prompts are like those in training. Distance: |factor (y - mean)|^2 of the guarded features
 * y, see router_guard_features(); factor = L^-1 diag(1 / deviation), where L L^T is the covariance
 * of the standardised features plus 0.01 I: the squared Mahalanobis distance. */
struct router_guard {
    size_t width;              /* router_guard_width(); 0: no guard */
    size_t rows_min, rows_max; /* of the prompts */
    double limit;              /* the largest distance that passes */
    float *mean;               /* [width] */
    float *factor;             /* (width, width): lower triangular, above it zeros */
};

/* Read-only once it is made: may be shared by threads. */
struct router {
    struct router_conf conf;
    uint8_t *path; /* [paths][layers]; success only */
    struct router_head *head;
    struct router_guard guard; /* success only */
    const struct kernels *kern;
};

/* All zero weights; PATH ([paths][layers], NULL for labels) is copied. KERN NULL: kernels_best().
 * ERR_INVALID (also: paths that are not distinct, not within the limits, or do not begin with the
 * default one), ERR_NOMEM. */
int router_new(struct router **ret, const struct router_conf *c, const uint8_t *path,
               const struct kernels *kern, struct err *err) MUST_CHECK;
void router_free(struct router *r);
/* The folder DIR, made by router_save. Every field and shape is checked: ERR_INVALID, ERR_CORRUPT,
 * ERR_VERSION, ERR_NOT_FOUND, ERR_NOMEM name the file. */
int router_open(struct router **ret, const char *dir, const struct kernels *kern,
                struct err *err) MUST_CHECK;
/* Is R for a model of this configuration and digest? ERR_INVALID says what differs; ROUTER_NAME and
 * MODEL_NAME are what the user calls them. */
int router_check_model(const struct router *r, const char *router_name, const struct model_conf *m,
                       const struct digest *model, const char *model_name,
                       struct err *err) MUST_CHECK;
/* Folder DIR (made when absent) with router.safetensors and config.json; bytes are a function of R.
 * ERR_IO, ERR_FULL, ERR_READONLY, ERR_NOMEM. */
int router_save(const struct router *r, const char *dir, struct err *err) MUST_CHECK;

/* ---- deciding ------------------------------------------------------------------------------ */

/* Does R want the states in front of LAYER? Labels: of every layer; success: of decide_layer; with
 * embedding input: of layer 0 only. (layers: false.) */
bool router_asks(const struct router *r, size_t layer);

/* What epsilon is taken from: the default path's chance, or the largest of all. */
enum router_reference { ROUTER_FROM_DEFAULT, ROUTER_FROM_BEST };
struct router_options {
    double knob;                     /* labels, -1..1: router_mix(); -0.5 is the router alone */
    double epsilon;                  /* success, unless price is above 0: router_cheapest() */
    double price;                    /* success: router_worthiest(); 0: epsilon decides */
    enum router_reference reference; /* of epsilon */
    bool guard;                      /* success: the default path where its guard says so */
};

/* A prompt in front of a layer. */
struct router_prompt {
    const float *state; /* (rows, dim), rows of LD floats */
    size_t rows, ld;    /* rows >= 1 */
    uint8_t *routing;   /* [layers]: what was decided below the layer; before the first decision all
                           layers once */
};
/* Memory for decisions, grown as needed; start it with { 0 }. */
struct router_work {
    float *mem;
    size_t room;
};
void router_work_release(struct router_work *w);

/* R was asked (router_asks) in front of LAYER: write the decisions into routing of each of N
 * prompts. Labels with layer input: routing[layer] alone; else all layers that are decided. The
 * limits hold: see router_allow(). ERR_NOMEM; ERR_DIVERGED: a state that is not finite. */
int router_decide(const struct router *r, size_t layer, const struct router_options *o,
                  struct router_prompt *p, size_t n, struct router_work *work,
                  struct err *err) MUST_CHECK;

/* ---- its parts ------------------------------------------------------------------------------ */

/* Rows of features of a prompt of ROWS rows: 1..windows with ROUTER_WINDOWS, else 1. */
size_t router_feature_rows(const struct router_conf *c, size_t rows);
/* OUT (router_feature_rows, router_inputs) of a prompt's states, rows of LD floats. */
void router_features(const struct router_conf *c, const struct kernels *kern, const float *state,
                     size_t rows, size_t ld, float *out);
/* OUT (n, outputs) of network HEAD for N prompts; X has their features one behind the other, COUNT
 * rows each. */
int router_forward(const struct router *r, size_t head, const float *x, const size_t *count,
                   size_t n, float *out, struct router_work *work, struct err *err) MUST_CHECK;
/* The decision of three logits under the knob P (Dr.LLM, appendix C), by the largest of the
 * probabilities mixed with a certain decision: P in [-1, -0.5] skip to the router, (-0.5, 0.5] the
 * router to execute, (0.5, 1] execute to repeat. Ties: execute, then skip. */
enum routing router_mix(const float *logit, double p, const struct kernels *kern);
/* WANT, unless routing[0..layer) does not let LAYER be skipped: two layers in front of it were, or
 * it is the last and all others were; then it is executed. */
enum routing router_allow(const uint8_t *routing, size_t layer, size_t layers, enum routing want);
/* The candidate with the fewest layer applications whose PROBABILITY is at least that of path 0
 * minus EPSILON (below 0: only paths that are better by as much, else path 0), or, from the best,
 * at least the largest one minus EPSILON (>= 0). Ties: the more probable, then the label rule's
 * order (fewer changes, then lexicographic). */
size_t router_cheapest(const struct router *r, const float *probability, double epsilon,
                       enum router_reference reference);
/* The candidate with the largest PROBABILITY - PRICE * layer applications; ties as above. */
size_t router_worthiest(const struct router *r, const float *probability, double price);

/* ---- the guard (router_guard.c) ---------------------------------------------------------------
 */

/* Inputs that a guard of such a router looks at: all, at most ROUTER_GUARD_MAX. */
size_t router_guard_width(const struct router_conf *c);
/* Memory for R's guard, all zero; R has none yet and is a success router. ERR_NOMEM. */
int router_guard_new(struct router *r, struct err *err) MUST_CHECK;
/* OUT (width): of features X, COUNT rows, their mean row; of more than ROUTER_GUARD_MAX inputs
 * that many at even steps. */
void router_guard_features(const struct router_conf *c, const float *x, size_t count, double *out);
/* In doubles and a fixed order. WORK: width. */
double router_guard_distance(const struct router *r, const float *x, size_t count, double *work);
/* Is a prompt of ROWS rows with these features like those in training? */
bool router_guard_passes(const struct router *r, const float *x, size_t count, size_t rows,
                         double *work);

#endif
