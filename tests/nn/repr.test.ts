/**
 * Modules print as PyTorch's do. The expected texts are `repr()` of PyTorch 2.13.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";

const { nn } = torch;

const CASES: readonly [make: () => torch.nn.Module, expected: string][] = [
  [() => new nn.Linear(3, 4), "Linear(in_features=3, out_features=4, bias=True)"],
  [() => new nn.Linear(3, 4, { bias: false }), "Linear(in_features=3, out_features=4, bias=False)"],
  [() => new nn.Bilinear(2, 3, 4), "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)"],
  [() => new nn.Identity(), "Identity()"],
  [() => new nn.Conv1d(1, 2, 3), "Conv1d(1, 2, kernel_size=(3,), stride=(1,))"],
  [
    () =>
      new nn.Conv2d(4, 8, [3, 5], {
        stride: 2,
        padding: 1,
        dilation: [1, 2],
        groups: 2,
        bias: false,
        paddingMode: "reflect",
      }),
    "Conv2d(4, 8, kernel_size=(3, 5), stride=(2, 2), padding=(1, 1), dilation=(1, 2), groups=2, bias=False, padding_mode=reflect)",
  ],
  [() => new nn.Conv2d(1, 2, 3, { padding: "same" }), "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=same)"],
  [
    () => new nn.ConvTranspose2d(3, 4, 3, { stride: 2, outputPadding: 1 }),
    "ConvTranspose2d(3, 4, kernel_size=(3, 3), stride=(2, 2), output_padding=(1, 1))",
  ],
  [() => new nn.MaxPool2d(2), "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"],
  [
    () => new nn.MaxPool2d([3, 2], 2, { padding: 1, ceilMode: true }),
    "MaxPool2d(kernel_size=(3, 2), stride=2, padding=1, dilation=1, ceil_mode=True)",
  ],
  [() => new nn.AvgPool1d(3), "AvgPool1d(kernel_size=(3,), stride=(3,), padding=(0,))"],
  [() => new nn.AvgPool2d(3, 2), "AvgPool2d(kernel_size=3, stride=2, padding=0)"],
  [() => new nn.AdaptiveAvgPool2d([1, null]), "AdaptiveAvgPool2d(output_size=(1, None))"],
  [() => new nn.AdaptiveMaxPool1d(5), "AdaptiveMaxPool1d(output_size=5)"],
  [() => new nn.LPPool2d(2, 3), "LPPool2d(norm_type=2.0, kernel_size=3, stride=None, ceil_mode=False)"],
  [
    () => new nn.BatchNorm2d(8),
    "BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
  ],
  [
    () => new nn.BatchNorm1d(8, 1e-3, null, false),
    "BatchNorm1d(8, eps=0.001, momentum=None, affine=False, bias=False, track_running_stats=True)",
  ],
  [
    () => new nn.InstanceNorm2d(4, { affine: true }),
    "InstanceNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=False)",
  ],
  [() => new nn.LayerNorm(16), "LayerNorm((16,), eps=1e-05, elementwise_affine=True, bias=True)"],
  [
    () => new nn.LayerNorm([4, 8], { elementwiseAffine: false }),
    "LayerNorm((4, 8), eps=1e-05, elementwise_affine=False, bias=False)",
  ],
  [() => new nn.RMSNorm(16), "RMSNorm((16,), eps=None, elementwise_affine=True)"],
  [() => new nn.GroupNorm(2, 8), "GroupNorm(2, 8, eps=1e-05, affine=True, bias=True)"],
  [() => new nn.LocalResponseNorm(2), "LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)"],
  [() => new nn.Dropout(), "Dropout(p=0.5, inplace=False)"],
  [() => new nn.Dropout2d(0.25, true), "Dropout2d(p=0.25, inplace=True)"],
  [() => new nn.Embedding(10, 3, { paddingIdx: 0, maxNorm: 1.5 }), "Embedding(10, 3, padding_idx=0, max_norm=1.5)"],
  [() => new nn.ReLU(), "ReLU()"],
  [() => new nn.ReLU(true), "ReLU(inplace=True)"],
  [() => new nn.ReLU6(), "ReLU6()"],
  [() => new nn.LeakyReLU(0.2, true), "LeakyReLU(negative_slope=0.2, inplace=True)"],
  [() => new nn.ELU(), "ELU(alpha=1.0)"],
  [() => new nn.CELU(2.5), "CELU(alpha=2.5)"],
  [() => new nn.GELU("tanh"), "GELU(approximate='tanh')"],
  [() => new nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)"],
  [() => new nn.Hardtanh(), "Hardtanh(min_val=-1.0, max_val=1.0)"],
  [() => new nn.Hardshrink(), "Hardshrink(0.5)"],
  [() => new nn.Threshold(0.1, 20), "Threshold(threshold=0.1, value=20)"],
  [() => new nn.PReLU(), "PReLU(num_parameters=1)"],
  [() => new nn.RReLU(), "RReLU(lower=0.125, upper=0.3333333333333333)"],
  [() => new nn.GLU(), "GLU(dim=-1)"],
  [() => new nn.Softmax(1), "Softmax(dim=1)"],
  [() => new nn.LogSoftmax(), "LogSoftmax(dim=None)"],
  [() => new nn.Tanh(), "Tanh()"],
  [() => new nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"],
  [() => new nn.Unflatten(1, [2, 5]), "Unflatten(dim=1, unflattened_size=(2, 5))"],
  [() => new nn.Unfold(3), "Unfold(kernel_size=3, dilation=1, padding=0, stride=1)"],
  [() => new nn.PixelShuffle(3), "PixelShuffle(upscale_factor=3)"],
  [() => new nn.ZeroPad2d(1), "ZeroPad2d((1, 1, 1, 1))"],
  [() => new nn.ConstantPad1d([3, 1], 3.5), "ConstantPad1d(padding=(3, 1), value=3.5)"],
  [() => new nn.Upsample({ scaleFactor: 2, mode: "bilinear" }), "Upsample(scale_factor=2.0, mode='bilinear')"],
  [() => new nn.Upsample({ size: [4, 5] }), "Upsample(size=(4, 5), mode='nearest')"],
  [() => new nn.CrossEntropyLoss(), "CrossEntropyLoss()"],
  [() => new nn.MSELoss(), "MSELoss()"],
  [
    () => new nn.LSTM(10, 20, 2, { batchFirst: true, dropout: 0.5, bidirectional: true }),
    "LSTM(10, 20, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True)",
  ],
  [() => new nn.GRUCell(3, 4), "GRUCell(3, 4)"],
  [
    () => new nn.MultiheadAttention(16, 4),
    "MultiheadAttention(\n  (out_proj): NonDynamicallyQuantizableLinear(in_features=16, out_features=16, bias=True)\n)",
  ],
  [
    () => new nn.TransformerEncoderLayer(16, 4, 32),
    "TransformerEncoderLayer(\n  (self_attn): MultiheadAttention(\n    (out_proj): NonDynamicallyQuantizableLinear(in_features=16, out_features=16, bias=True)\n  )\n  (linear1): Linear(in_features=16, out_features=32, bias=True)\n  (dropout): Dropout(p=0.1, inplace=False)\n  (linear2): Linear(in_features=32, out_features=16, bias=True)\n  (norm1): LayerNorm((16,), eps=1e-05, elementwise_affine=True, bias=True)\n  (norm2): LayerNorm((16,), eps=1e-05, elementwise_affine=True, bias=True)\n  (dropout1): Dropout(p=0.1, inplace=False)\n  (dropout2): Dropout(p=0.1, inplace=False)\n)",
  ],
  [() => new nn.ModuleList(), "ModuleList()"],
  [
    () => new nn.ModuleList([new nn.Linear(2, 2), new nn.Linear(2, 2), new nn.ReLU()]),
    "ModuleList(\n  (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)\n  (2): ReLU()\n)",
  ],
  [
    () =>
      new nn.Sequential(
        new nn.Conv2d(1, 20, 5),
        new nn.ReLU(),
        new nn.Sequential(new nn.Linear(2, 3), new nn.Sigmoid()),
      ),
    "Sequential(\n  (0): Conv2d(1, 20, kernel_size=(5, 5), stride=(1, 1))\n  (1): ReLU()\n  (2): Sequential(\n    (0): Linear(in_features=2, out_features=3, bias=True)\n    (1): Sigmoid()\n  )\n)",
  ],
  [
    () => new nn.ModuleDict({ conv: new nn.Conv2d(10, 10, 3), pool: new nn.MaxPool2d(3) }),
    "ModuleDict(\n  (conv): Conv2d(10, 10, kernel_size=(3, 3), stride=(1, 1))\n  (pool): MaxPool2d(kernel_size=3, stride=3, padding=0, dilation=1, ceil_mode=False)\n)",
  ],
  [
    () => new nn.ParameterList([torch.ones(2), torch.ones(3, 4)]),
    "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n    (1): Parameter containing: [torch.float32 of size 3x4]\n)",
  ],
  [
    () => new nn.ParameterDict({ a: torch.ones(2), b: torch.ones(3, 4) }),
    "ParameterDict(\n    (a): Parameter containing: [torch.FloatTensor of size 2]\n    (b): Parameter containing: [torch.FloatTensor of size 3x4]\n)",
  ],
  [
    () => new nn.TransformerEncoder(new nn.TransformerEncoderLayer(8, 2, 16, { batchFirst: true }), 2),
    "TransformerEncoder(\n  (layers): ModuleList(\n    (0-1): 2 x TransformerEncoderLayer(\n      (self_attn): MultiheadAttention(\n        (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=True)\n      )\n      (linear1): Linear(in_features=8, out_features=16, bias=True)\n      (dropout): Dropout(p=0.1, inplace=False)\n      (linear2): Linear(in_features=16, out_features=8, bias=True)\n      (norm1): LayerNorm((8,), eps=1e-05, elementwise_affine=True, bias=True)\n      (norm2): LayerNorm((8,), eps=1e-05, elementwise_affine=True, bias=True)\n      (dropout1): Dropout(p=0.1, inplace=False)\n      (dropout2): Dropout(p=0.1, inplace=False)\n    )\n  )\n)",
  ],
];

Deno.test("modules print as in PyTorch", () => {
  for (const [make, expected] of CASES) {
    assertEquals(make().toString(), expected);
    assertEquals(Deno.inspect(make()), expected);
  }
});
