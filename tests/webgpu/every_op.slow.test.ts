/**
 * Every op on WebGPU: what a spoilt tensor is computed into is spoilt, kernels hand doubts on and only forward; operands of two
 * devices are computed with or refused in words.
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { addDoubt } from "../../src/backend/webgpu/device/checks.ts";
import type { GpuBlock } from "../../src/backend/webgpu/device/gpu.ts";
import { webGpuBackend } from "../../src/backend/webgpu/mod.ts";
import { type Adapt, asFunction, opCases, type RecordedSample } from "../ops/cases.ts";
import { differentiable } from "../ops/every_op.ts";
import { GPU, gpuTest } from "./support.ts";

const doubtful = (x: torch.Tensor) => (x.storage.block as GpuBlock).doubt !== null;

/** Ops whose results do not depend on the values of their first operand, or are a promise. */
const APART =
  /^(zeros_like|ones_like|empty_like|full_like|new_|zero_|fill|rand|normal|bernoulli|empty|meshgrid|masked_select)/;

const asRecorded: Adapt = (node, data) => ({ node, data });

gpuTest("every op hands a doubt of its first operand to its results, and to no operand", async (t) => {
  const { gpu } = webGpuBackend(torch.device(GPU));
  let tried = 0;
  for (const op of await opCases()) {
    const [sample] = differentiable(op) as RecordedSample[];
    if (sample === undefined || APART.test(op.name)) continue;
    await t.step(op.label, () => {
      const { fn, inputs } = asFunction(op, sample, asRecorded);
      const [first, ...others] = inputs.map((x) => x.detach().clone().to(GPU));
      if (!first) return;
      const [reports] = gpu.checks.begin("a test", () => new torch.ArgumentError("a test"));
      addDoubt(first, reports.doubt);
      let outs: torch.Tensor[];
      try {
        outs = fn(first, ...others);
      } catch (error) {
        // Recorded with something that stays on the CPU, or with a dtype that the device lacks.
        assert(error instanceof torch.DeviceError || error instanceof torch.DTypeError, String(error));
        return;
      }
      tried++;
      const written = outs.filter((out) => out.dtype.isFloatingPoint && out.numel() > 0 && out.device.type === GPU);
      assertEquals(written.map(doubtful), written.map(() => true));
      const apart = others.filter((x) => !outs.some((out) => out.storage === x.storage));
      assertEquals(apart.map(doubtful), apart.map(() => false));
    });
  }
  assert(tried > 120, `${tried} ops`);
});

gpuTest("operands of two devices are combined or refused, whatever the op", async (t) => {
  for (const op of await opCases()) {
    const [sample] = differentiable(op) as RecordedSample[];
    if (sample === undefined || sample.grad!.wrt.length < 2 || APART.test(op.name)) continue;
    await t.step(op.label, () => {
      const { fn, inputs } = asFunction(op, sample, asRecorded);
      for (let there = 0; there < inputs.length; there++) {
        try {
          fn(...inputs.map((x, i) => i === there ? x.detach().to(GPU) : x.detach()));
        } catch (error) {
          if (!(error instanceof torch.DeviceError)) throw error;
          assert(/device|webgpu|cpu/.test(error.message), error.message);
        }
      }
    });
  }
});
