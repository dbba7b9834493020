/**
 * The pointwise ops that have an in-place form, PyTorch's list: what stands here as `name_` is the method `x.name_(…)`.
 *
 * Each line renames the op itself, for its type; the method calls the op's `inPlace`.
 *
 * @module
 */

export {
  /** {@linkcode relu}, written into the tensor. */
  relu as relu_,
} from "./pointwise/activation.ts";
export {
  /** {@linkcode add}, written into the tensor. */
  add as add_,
  /** {@linkcode addcdiv}, written into the tensor. */
  addcdiv as addcdiv_,
  /** {@linkcode addcmul}, written into the tensor. */
  addcmul as addcmul_,
  /** {@linkcode arctan2}, written into the tensor. */
  arctan2 as arctan2_,
  /** {@linkcode atan2}, written into the tensor. */
  atan2 as atan2_,
  /** {@linkcode copysign}, written into the tensor. */
  copysign as copysign_,
  /** {@linkcode div}, written into the tensor. */
  div as div_,
  /** {@linkcode divide}, written into the tensor. */
  divide as divide_,
  /** {@linkcode floatPower}, written into the tensor. */
  floatPower as floatPower_,
  /** {@linkcode floorDivide}, written into the tensor. */
  floorDivide as floorDivide_,
  /** {@linkcode fmod}, written into the tensor. */
  fmod as fmod_,
  /** {@linkcode gcd}, written into the tensor. */
  gcd as gcd_,
  /** {@linkcode heaviside}, written into the tensor. */
  heaviside as heaviside_,
  /** {@linkcode hypot}, written into the tensor. */
  hypot as hypot_,
  /** {@linkcode lcm}, written into the tensor. */
  lcm as lcm_,
  /** {@linkcode ldexp}, written into the tensor. */
  ldexp as ldexp_,
  /** {@linkcode lerp}, written into the tensor. */
  lerp as lerp_,
  /** {@linkcode mul}, written into the tensor. */
  mul as mul_,
  /** {@linkcode multiply}, written into the tensor. */
  multiply as multiply_,
  /** {@linkcode nextafter}, written into the tensor. */
  nextafter as nextafter_,
  /** {@linkcode pow}, written into the tensor. */
  pow as pow_,
  /** {@linkcode remainder}, written into the tensor. */
  remainder as remainder_,
  /** {@linkcode sub}, written into the tensor. */
  sub as sub_,
  /** {@linkcode subtract}, written into the tensor. */
  subtract as subtract_,
  /** {@linkcode trueDivide}, written into the tensor. */
  trueDivide as trueDivide_,
  /** {@linkcode xlogy}, written into the tensor. */
  xlogy as xlogy_,
} from "./pointwise/binary.ts";
export {
  /** {@linkcode bitwiseAnd}, written into the tensor. */
  bitwiseAnd as bitwiseAnd_,
  /** {@linkcode bitwiseLeftShift}, written into the tensor. */
  bitwiseLeftShift as bitwiseLeftShift_,
  /** {@linkcode bitwiseNot}, written into the tensor. */
  bitwiseNot as bitwiseNot_,
  /** {@linkcode bitwiseOr}, written into the tensor. */
  bitwiseOr as bitwiseOr_,
  /** {@linkcode bitwiseRightShift}, written into the tensor. */
  bitwiseRightShift as bitwiseRightShift_,
  /** {@linkcode bitwiseXor}, written into the tensor. */
  bitwiseXor as bitwiseXor_,
  /** {@linkcode clamp}, written into the tensor. */
  clamp as clamp_,
  /** {@linkcode clampMax}, written into the tensor. */
  clampMax as clampMax_,
  /** {@linkcode clampMin}, written into the tensor. */
  clampMin as clampMin_,
  /** {@linkcode clip}, written into the tensor. */
  clip as clip_,
  /** {@linkcode eq}, written into the tensor. */
  eq as eq_,
  /** {@linkcode ge}, written into the tensor. */
  ge as ge_,
  /** {@linkcode greater}, written into the tensor. */
  greater as greater_,
  /** {@linkcode greaterEqual}, written into the tensor. */
  greaterEqual as greaterEqual_,
  /** {@linkcode gt}, written into the tensor. */
  gt as gt_,
  /** {@linkcode le}, written into the tensor. */
  le as le_,
  /** {@linkcode less}, written into the tensor. */
  less as less_,
  /** {@linkcode lessEqual}, written into the tensor. */
  lessEqual as lessEqual_,
  /** {@linkcode logicalAnd}, written into the tensor. */
  logicalAnd as logicalAnd_,
  /** {@linkcode logicalNot}, written into the tensor. */
  logicalNot as logicalNot_,
  /** {@linkcode logicalOr}, written into the tensor. */
  logicalOr as logicalOr_,
  /** {@linkcode logicalXor}, written into the tensor. */
  logicalXor as logicalXor_,
  /** {@linkcode lt}, written into the tensor. */
  lt as lt_,
  /** {@linkcode ne}, written into the tensor. */
  ne as ne_,
  /** {@linkcode notEqual}, written into the tensor. */
  notEqual as notEqual_,
} from "./pointwise/compare.ts";
export {
  /** {@linkcode abs}, written into the tensor. */
  abs as abs_,
  /** {@linkcode absolute}, written into the tensor. */
  absolute as absolute_,
  /** {@linkcode acos}, written into the tensor. */
  acos as acos_,
  /** {@linkcode acosh}, written into the tensor. */
  acosh as acosh_,
  /** {@linkcode arccos}, written into the tensor. */
  arccos as arccos_,
  /** {@linkcode arccosh}, written into the tensor. */
  arccosh as arccosh_,
  /** {@linkcode arcsin}, written into the tensor. */
  arcsin as arcsin_,
  /** {@linkcode arcsinh}, written into the tensor. */
  arcsinh as arcsinh_,
  /** {@linkcode arctan}, written into the tensor. */
  arctan as arctan_,
  /** {@linkcode arctanh}, written into the tensor. */
  arctanh as arctanh_,
  /** {@linkcode asin}, written into the tensor. */
  asin as asin_,
  /** {@linkcode asinh}, written into the tensor. */
  asinh as asinh_,
  /** {@linkcode atan}, written into the tensor. */
  atan as atan_,
  /** {@linkcode atanh}, written into the tensor. */
  atanh as atanh_,
  /** {@linkcode ceil}, written into the tensor. */
  ceil as ceil_,
  /** {@linkcode conjPhysical}, written into the tensor. */
  conjPhysical as conjPhysical_,
  /** {@linkcode cos}, written into the tensor. */
  cos as cos_,
  /** {@linkcode cosh}, written into the tensor. */
  cosh as cosh_,
  /** {@linkcode deg2rad}, written into the tensor. */
  deg2rad as deg2rad_,
  /** {@linkcode digamma}, written into the tensor. */
  digamma as digamma_,
  /** {@linkcode erf}, written into the tensor. */
  erf as erf_,
  /** {@linkcode erfc}, written into the tensor. */
  erfc as erfc_,
  /** {@linkcode erfinv}, written into the tensor. */
  erfinv as erfinv_,
  /** {@linkcode exp}, written into the tensor. */
  exp as exp_,
  /** {@linkcode exp2}, written into the tensor. */
  exp2 as exp2_,
  /** {@linkcode expm1}, written into the tensor. */
  expm1 as expm1_,
  /** {@linkcode fix}, written into the tensor. */
  fix as fix_,
  /** {@linkcode floor}, written into the tensor. */
  floor as floor_,
  /** {@linkcode frac}, written into the tensor. */
  frac as frac_,
  /** {@linkcode lgamma}, written into the tensor. */
  lgamma as lgamma_,
  /** {@linkcode log}, written into the tensor. */
  log as log_,
  /** {@linkcode log10}, written into the tensor. */
  log10 as log10_,
  /** {@linkcode log1p}, written into the tensor. */
  log1p as log1p_,
  /** {@linkcode log2}, written into the tensor. */
  log2 as log2_,
  /** {@linkcode logit}, written into the tensor. */
  logit as logit_,
  /** {@linkcode nanToNum}, written into the tensor. */
  nanToNum as nanToNum_,
  /** {@linkcode neg}, written into the tensor. */
  neg as neg_,
  /** {@linkcode negative}, written into the tensor. */
  negative as negative_,
  /** {@linkcode rad2deg}, written into the tensor. */
  rad2deg as rad2deg_,
  /** {@linkcode reciprocal}, written into the tensor. */
  reciprocal as reciprocal_,
  /** {@linkcode round}, written into the tensor. */
  round as round_,
  /** {@linkcode rsqrt}, written into the tensor. */
  rsqrt as rsqrt_,
  /** {@linkcode sgn}, written into the tensor. */
  sgn as sgn_,
  /** {@linkcode sigmoid}, written into the tensor. */
  sigmoid as sigmoid_,
  /** {@linkcode sign}, written into the tensor. */
  sign as sign_,
  /** {@linkcode sin}, written into the tensor. */
  sin as sin_,
  /** {@linkcode sinc}, written into the tensor. */
  sinc as sinc_,
  /** {@linkcode sinh}, written into the tensor. */
  sinh as sinh_,
  /** {@linkcode sqrt}, written into the tensor. */
  sqrt as sqrt_,
  /** {@linkcode square}, written into the tensor. */
  square as square_,
  /** {@linkcode tan}, written into the tensor. */
  tan as tan_,
  /** {@linkcode tanh}, written into the tensor. */
  tanh as tanh_,
  /** {@linkcode trunc}, written into the tensor. */
  trunc as trunc_,
} from "./pointwise/unary.ts";
