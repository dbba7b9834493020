/*
 * Float64 special functions that libm lacks, or defines differently from PyTorch at poles.
 */
#include "special.h"

#include <math.h>

#define PI 3.14159265358979323846264338327950288

/* The inverse of erf: a rational start (M. Giles, 2010), then two steps of Halley's method on the better-conditioned
   of erf and erfc. */
double cresset_erfinv(double x) {
  double a = fabs(x);
  if (!(a < 1)) return a == 1 ? copysign(INFINITY, x) : NAN;
  if (a < 1e-8) return x * 0.88622692545275801365;
  double w = -log((1 - a) * (1 + a)), p;
  if (w < 5) {
    static const double c[9] = {1.50140941,     0.246640727,   -0.00417768164, -0.00125372503, 0.00021858087,
                                -4.39150654e-6, -3.5233877e-6, 3.43273939e-7,  2.81022636e-8};
    w -= 2.5;
    p = c[8];
    for (int i = 7; i >= 0; i--) p = p * w + c[i];
  } else {
    static const double c[9] = {2.83297682,    1.00167406,     0.00943887047,  -0.0076224613, 0.00573950773,
                                -0.00367342844, 0.00134934322, 0.000100950558, -0.000200214257};
    w = sqrt(w) - 3;
    p = c[8];
    for (int i = 7; i >= 0; i--) p = p * w + c[i];
  }
  double y = p * a;
  /* The start is made for float32: beyond its range it is rougher, and takes two more steps. */
  int steps = a > 0.9999999 ? 4 : 2;
  for (int i = 0; i < steps; i++) {
    double f = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);
    double slope = 1.12837916709551257390 * exp(-y * y);
    double u = f / slope;
    y -= u / (1 + y * u);
  }
  return copysign(y, x);
}

double cresset_lgamma(double x) {
  if (x <= 0 && x == floor(x)) return INFINITY;
  return isinf(x) ? INFINITY : lgamma(x);
}

/* tan(pi x) and sin(pi x) through an exact reduction to |r| <= 1/2. */
static double reduce_half(double x) { return x - floor(x + 0.5); }

double cresset_digamma(double x) {
  if (x == 0) return copysign(INFINITY, -x);
  if (isinf(x)) return x > 0 ? x : NAN;
  double result = 0;
  if (x < 0) {
    if (x == floor(x)) return NAN;
    result = -PI / tan(PI * reduce_half(x));
    x = 1 - x;
  }
  /* Near its positive root the recurrence cancels; a Taylor series about the root (in two parts) keeps the digits. */
  const double root = 1.4616321449683622, root_low = 9.549995429965697e-17;
  if (result == 0 && fabs(x - root) < 0.1) {
    static const double c[14] = {0.96767224544762117043, -0.44276316898359210609, 0.25849976095565101062,
                               -0.1639427054424065275, 0.10782405069126236576, -0.072199561256454710926,
                               0.048804288164143107225, -0.033161126474847359292, 0.02259764823221810466,
                               -0.015424765904948959139, 0.010538791616612175388, -0.007204534386356868241,
                               0.0049267813957298534464, -0.0033698016554393280828};
    double t = (x - root) - root_low, p = 0;
    for (int i = 13; i >= 0; i--) p = p * t + c[i];
    return p * t;
  }
  while (x < 10) {
    result -= 1 / x;
    x += 1;
  }
  double z = 1 / (x * x);
  double series = z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 -
                  z * (691.0 / 32760 - z * (1.0 / 12)))))));
  return result + log(x) - 0.5 / x - series;
}

double cresset_trigamma(double x) {
  if (x != x) return x;
  if (isinf(x)) return x > 0 ? 0 : NAN;
  if (x <= 0 && x == floor(x)) return INFINITY;
  double result = 0, sign = 1;
  if (x < 0.5) {
    double s = sin(PI * reduce_half(x));
    result = PI * PI / (s * s);
    sign = -1;
    x = 1 - x;
  }
  double sum = 0;
  while (x < 10) {
    sum += 1 / (x * x);
    x += 1;
  }
  double z = 1 / (x * x);
  double series = 1.0 / 6 - z * (1.0 / 30 - z * (1.0 / 42 - z * (1.0 / 30 - z * (5.0 / 66 - z * (691.0 / 2730 -
                  z * (7.0 / 6))))));
  sum += 1 / x + 0.5 * z + series * z / x;
  return result + sign * sum;
}

/* Euler-Maclaurin summation: terms up to q + k > 9, then the integral and Bernoulli corrections (after Cephes). */
double cresset_zeta(double s, double q) {
  /* (2j)! / B_2j */
  static const double a[12] = {12.0,
                               -720.0,
                               30240.0,
                               -1209600.0,
                               47900160.0,
                               -1307674368000.0 / 691,
                               74724249600.0,
                               -10670622842880000.0 / 3617,
                               5109094217170944000.0 / 43867,
                               -802857662698291200000.0 / 174611,
                               14101100039391805440000.0 / 77683,
                               -1693824136731743669452800000.0 / 236364091};
  if (s == 1) return INFINITY;
  if (!(s > 1)) return NAN;
  if (q <= 0) {
    if (q == floor(q)) return INFINITY;
    if (s != floor(s)) return NAN;
  }
  double sum = pow(q, -s), at = q, term = 0;
  for (int i = 0; i < 9 || at <= 9; i++) {
    at += 1;
    term = pow(at, -s);
    sum += term;
    if (fabs(term) < 1e-17 * fabs(sum)) return sum;
  }
  sum += term * at / (s - 1) - 0.5 * term;
  double factor = 1;
  for (int i = 0, k = 0; i < 12; i++, k += 2) {
    factor *= s + k;
    term /= at;
    double t = factor * term / a[i];
    sum += t;
    if (fabs(t) < 1e-17 * fabs(sum)) break;
    factor *= s + k + 1;
    term /= at;
  }
  return sum;
}
