/** The tests of printed primitives, where a C++ compiler can build the double; see `primitives.ts`. */

import { buildable } from "../support/cuda_double/build.ts";

if (buildable) await import("./primitives.ts");
