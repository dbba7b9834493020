/** The state dicts of the large residual networks. */

import { LARGE, stateDictTests } from "./state_dicts.ts";

stateDictTests((parameters) => parameters > LARGE);
