/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/attempt.h"

static int set_param(struct params *p, const Drover__Param *x, struct err *err)
{
    struct param_value v = { 0 };

    switch (x->value_case) {
    case DROVER__PARAM__VALUE_I:
        v = (struct param_value){ .type = PARAM_INT, .i = x->i };
        break;
    case DROVER__PARAM__VALUE_R:
        v = (struct param_value){ .type = PARAM_REAL, .r = x->r };
        break;
    case DROVER__PARAM__VALUE_S:
        v = (struct param_value){ .type = PARAM_TEXT, .s = x->s };
        break;
    case DROVER__PARAM__VALUE_B:
        v = (struct param_value){ .type = PARAM_BOOL, .i = x->b };
        break;
    case DROVER__PARAM__VALUE_TEXTS:
        v = (struct param_value){ .type = PARAM_TEXTS, .texts = x->texts->v, .len = x->texts->n_v };
        break;
    case DROVER__PARAM__VALUE_INTS:
        v = (struct param_value){ .type = PARAM_INTS, .ints = x->ints->v, .len = x->ints->n_v };
        break;
    case DROVER__PARAM__VALUE_REALS:
        v = (struct param_value){ .type = PARAM_REALS, .reals = x->reals->v, .len = x->reals->n_v };
        break;
    case DROVER__PARAM__VALUE__NOT_SET:
    case _DROVER__PARAM__VALUE__CASE_IS_INT_SIZE:
        return err_set(err, ERR_INVALID, "parameter %s has no value", x->name);
    }
    return params_set(p, x->name, &v, err);
}

int params_of_lease(const Drover__Lease *lease, struct params *ret, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < lease->n_params; i++)
        rc = set_param(ret, lease->params[i], err);
    return rc;
}
