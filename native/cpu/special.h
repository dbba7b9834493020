/* Float64 special functions that libm lacks: see special.c. */
#ifndef CRESSET_SPECIAL_H
#define CRESSET_SPECIAL_H

#include "cresset.h"

CRESSET_SHARED double cresset_erfinv(double x);
CRESSET_SHARED double cresset_digamma(double x);
CRESSET_SHARED double cresset_trigamma(double x);
CRESSET_SHARED double cresset_lgamma(double x);
/* The Hurwitz zeta function, sum over k of (q + k)^-s. */
CRESSET_SHARED double cresset_zeta(double s, double q);

#endif
