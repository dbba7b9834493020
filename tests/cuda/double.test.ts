/** The tests of the double and the shim, where a C++ compiler can build the double; see `double.ts`. */

import { buildable } from "../support/cuda_double/build.ts";

if (buildable) await import("./double.ts");
