/** uint16, uint32 and uint64 on the GPU: PyTorch's values and refusals, of what 32 bits hold. */

import { assertUnsigned, type Exceptions } from "../support/unsigned.ts";
import { GPU, gpuTest } from "./support.ts";

const LACKS_FLOAT64 = "the device has no float64";
const WORDS = "an element is a word of 32 bits to the device, whatever its dtype";

/** What is not compared on the device, and why. */
const EXCEPTIONS: Exceptions = {
  ...Object.fromEntries(
    ["floatPower", "mul out", "mul float64", "to float64", "to float32 and back", "to float64 and back"].map((
      name,
    ) => [name, LACKS_FLOAT64]),
  ),
  ...Object.fromEntries(
    ["prod", "prod(0)", "cumprod(0)", "from int64", "view(uint8)"].map((name) => [name, WORDS]),
  ),
};

/** What leaves 32 bits for uint32's largest values, as int64, or for uint64's, which negative values become. */
const SUMS = ["sum", "sum(0)", "nansum", "cumsum(0)", "to int64", "mul int64", "eq int64", "cat int64", "where int64"];
const NEGATIVE = ["mul(negative) number", "full(-1)", "from negative", "from int8"];
const with32 = (names: readonly string[]): Exceptions => ({
  ...EXCEPTIONS,
  ...Object.fromEntries(names.map((name) => [name, WORDS])),
});

gpuTest("webgpu: uint16 is PyTorch's", () => assertUnsigned(GPU, "uint16", EXCEPTIONS));
gpuTest("webgpu: uint32 is PyTorch's", () => assertUnsigned(GPU, "uint32", with32(SUMS)));
gpuTest("webgpu: uint64 is PyTorch's in 32 bits", () => assertUnsigned(GPU, "small uint64", with32(NEGATIVE)));
