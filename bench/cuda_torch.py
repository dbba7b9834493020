"""PyTorch's side of bench/cuda.ts: the same workloads by the same names, over lines of JSON."""
import json, sys, time

SMALL = "--small" in sys.argv
scale = lambda n, by: max(2, n // by) if SMALL else n
N, ROWS, M, M32 = scale(1 << 26, 1 << 14), scale(8192, 256), scale(8192, 256), scale(4096, 128)


def reply(**fields):
    print(json.dumps(fields), flush=True)


try:
    import torch
    import torch.nn.functional as F

    missing = None if torch.cuda.is_available() else "torch.cuda.is_available() is False"
except Exception as error:  # no torch at all
    missing = str(error)


def randn(*shape, dtype=None):
    return torch.randn(*shape, device="cuda").to(dtype or torch.float32)


def flat(f, dtype=None):
    x = randn(N, dtype=dtype)
    return lambda: f(x)


def rows(f):
    x = randn(ROWS, ROWS)
    return lambda: f(x)


def product(n, dtype):
    a, b = randn(n, n, dtype=dtype), randn(n, n, dtype=dtype)
    return lambda: a @ b


def trained(net, loss):
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)

    def step():
        opt.zero_grad()
        loss().backward()
        opt.step()

    return step


def mlp():
    nn = torch.nn
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)).cuda()
    x, y = randn(64, 784), torch.randint(0, 10, (64,), device="cuda")
    return trained(net, lambda: F.cross_entropy(net(x), y))


def transformer(dtype):
    width, heads = scale(768, 12), 4 if SMALL else 12
    net = torch.nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True).cuda().to(dtype)
    x = randn(scale(8, 4), scale(512, 64), width, dtype=dtype)
    return trained(net, lambda: net(x).float().square().mean())


def attention(*shape):
    leaves = [randn(*shape, dtype=torch.bfloat16).requires_grad_() for _ in range(3)]

    def step():
        for x in leaves:
            x.grad = None
        y = F.scaled_dot_product_attention(*leaves, is_causal=True)
        y.backward(y.detach())

    return step


def conv(dtype):
    size = scale(56, 8)
    x = randn(scale(64, 32), 64, size, size, dtype=dtype).requires_grad_()
    w = randn(64, 64, 3, 3, dtype=dtype).requires_grad_()

    def step():
        x.grad = w.grad = None
        y = F.conv2d(x, w, padding=1)
        y.backward(y.detach())

    return step


def small_add():
    x = randn(16)
    return lambda: x + x


WORKLOADS = {
    "add 16": small_add,
    "copy 64M float32": lambda: flat(lambda x: x.clone()),
    "add 64M float32": lambda: flat(lambda x: x + 1),
    "gelu 64M bfloat16": lambda: flat(F.gelu, torch.bfloat16),
    "sum 64M float32": lambda: flat(torch.sum),
    "sum of columns 8192 float32": lambda: rows(lambda x: x.sum(0)),
    "softmax 8192 float32": lambda: rows(lambda x: x.softmax(-1)),
    "layerNorm 8192 float32": lambda: rows(lambda x: F.layer_norm(x, [ROWS])),
    "cumsum 64M float32": lambda: flat(lambda x: x.cumsum(0)),
    "sort 64M float32": lambda: flat(lambda x: x.sort().values),
    "matmul 4096 float32": lambda: product(M32, torch.float32),
    "matmul 8192 bfloat16": lambda: product(M, torch.bfloat16),
    "conv 64x64x56x56 3x3 float32, both ways": lambda: conv(torch.float32),
    "conv 64x64x56x56 3x3 bfloat16, both ways": lambda: conv(torch.bfloat16),
    "MLP step, batch 64": mlp,
    "attention 8x12x1024x64 bfloat16, causal, both ways": lambda: attention(*((1, 2, 64, 64) if SMALL else (8, 12, 1024, 64))),
    "attention 2x16x8192x128 bfloat16, causal, both ways": lambda: attention(*((1, 1, 96, 128) if SMALL else (2, 16, 8192, 128))),
    "transformer layer step float32": lambda: transformer(torch.float32),
    "transformer layer step bfloat16": lambda: transformer(torch.bfloat16),
}


def timed(run, runs):
    start = time.perf_counter()
    for _ in range(runs):
        run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


ready = {}
for line in sys.stdin:
    question = json.loads(line)
    name = question["workload"]
    if missing:
        reply(error=missing)
    elif name == "info":
        # As ours: exact float32 products and convolutions.
        torch.backends.cudnn.allow_tf32 = False
        reply(info=f"{torch.__version__}, {torch.cuda.get_device_name()}")
    else:
        try:
            if name not in ready:
                ready.clear()
                torch.cuda.empty_cache()
                run = WORKLOADS[name]()
                timed(run, 2)
                runs = 1
                while timed(run, runs) < question["seconds"] / 4:
                    runs *= 2
                ready[name] = (run, runs)
            run, runs = ready[name]
            reply(seconds=timed(run, runs) / runs)
        except Exception as error:
            reply(error=str(error))
