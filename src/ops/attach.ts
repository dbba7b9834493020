/**
 * Completes `Tensor`: loads what gives it its methods, its properties, its text and its gradients.
 *
 * Every entry point that can make a tensor imports this file (`src/autograd` and `src/backend` cannot), so that a program
 * that imports one of them alone gets tensors that can do all they do with `mod.ts`.
 *
 * @module
 */

import "../autograd/tensor_autograd.ts";
import "./display.ts";
import "./methods.ts";
