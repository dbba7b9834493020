// What torch.linalg refuses, values that are not finite, and empty matrices.
import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { linalg } = torch;

Deno.test("singular and non-positive matrices are named by batch", () => {
  const a = torch.stack([torch.eye(2), torch.ones([2, 2])]);
  assertThrows(
    () => linalg.inv(a),
    torch.LinAlgError,
    "linalg.inv(): (Batch element 1): The diagonal element 2 is zero",
  );
  assertThrows(() => linalg.solve(a, a), torch.LinAlgError, "(Batch element 1)");
  assertThrows(
    () => linalg.cholesky(a.sub(1)),
    torch.LinAlgError,
    "(the leading minor of order 1 is not positive-definite)",
  );
  assertThrows(() => linalg.cholesky(torch.tensor([[NaN]])), torch.LinAlgError, "order 1");
  assertThrows(() => linalg.luFactor(torch.zeros([2, 2])), torch.LinAlgError, "U[1,1] is zero");
});

Deno.test("functions that end in Ex tell instead", async () => {
  const a = torch.stack([torch.eye(2), torch.ones([2, 2])]);
  assertEquals(await linalg.invEx(a).info.tolist(), [0, 2]);
  assertEquals(await linalg.choleskyEx(a).info.tolist(), [0, 2]);
  assertEquals(await linalg.luFactorEx(a).info.tolist(), [0, 2]);
  assertThrows(() => linalg.invEx(a, { checkErrors: true }), torch.LinAlgError, "Batch element 1");
});

Deno.test("eigenvalues and singular values refuse what is not finite", () => {
  for (const bad of [NaN, Infinity]) {
    const a = torch.tensor([[1, bad], [bad, 1]]);
    assertThrows(() => linalg.eigh(a), torch.LinAlgError, "not finite");
    assertThrows(() => linalg.eig(a), torch.LinAlgError, "not finite");
    assertThrows(() => linalg.svd(a), torch.ArgumentError, "not finite");
  }
});

Deno.test("NaN passes through what does not iterate", async () => {
  const a = torch.tensor([[NaN, 1], [1, 1]]);
  assertEquals(await linalg.det(a).item(), NaN);
  assertEquals(await linalg.qr(a).R.isnan().any().item(), true);
});

Deno.test("shapes and dtypes are checked", () => {
  assertThrows(() => linalg.inv(torch.ones([2, 3])), torch.ShapeError, "must be square");
  assertThrows(() => linalg.inv(torch.ones([2])), torch.ShapeError, "at least 2 dimensions");
  assertThrows(() => linalg.inv(torch.ones([2, 2], { dtype: torch.int64 })), torch.DTypeError, "float32");
  assertThrows(() => linalg.solve(torch.eye(2), torch.ones([3, 1])), torch.ArgumentError, "do not fit");
  assertThrows(() => linalg.matrixPower(torch.eye(2), 0.5), torch.ArgumentError, "integer");
  assertThrows(() => linalg.matrixRank(torch.eye(2), { atol: "1" as never }), torch.ArgumentError, "atol must be");
  assertThrows(() => linalg.pinv(torch.eye(2), { rtol: [1] as never }), torch.ArgumentError, "rtol must be");
  assertThrows(() => linalg.matrixNorm(torch.ones([2, 2]), { dim: 1 as never }), torch.ArgumentError, "dim must be");
});

Deno.test("empty matrices and batches", async () => {
  const none = torch.ones([0, 0]), batch = torch.ones([0, 3, 3]);
  assertEquals(await linalg.det(none).item(), 1);
  assertEquals(await linalg.slogdet(none).logabsdet.item(), 0);
  for (const x of [none, batch]) {
    assertEquals(linalg.inv(x).shape, x.shape);
    assertEquals(linalg.cholesky(x).shape, x.shape);
    assertEquals(linalg.eigh(x).eigenvectors.shape, x.shape);
    assertEquals(linalg.eig(x).eigenvalues.shape, x.shape.slice(0, -1));
    assertEquals(linalg.svdvals(x).shape, x.shape.slice(0, -1));
  }
  assertEquals(await linalg.qr(torch.ones([3, 0]), "complete").Q.tolist(), [[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
});
