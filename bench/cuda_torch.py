"""PyTorch's side of bench/cuda.ts: the same workloads by the same names, over lines of JSON.

`--small` takes the sizes of the test double and, where there is no card, the processor. `--warm NAME` runs one workload once:
torch.compile then finds its kernels on disk.
"""
import json, sys, time

SMALL = "--small" in sys.argv
COUNT, ROWS = (1 << 12, 32) if SMALL else (1 << 26, 8192)
STDOUT = sys.stdout
sys.stdout = sys.stderr  # what libraries print is no answer


def reply(**fields):
    print(json.dumps(fields), file=STDOUT, flush=True)


try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    missing = None if torch.cuda.is_available() or SMALL else "torch.cuda.is_available() is False"
    bf16, f32 = torch.bfloat16, torch.float32
    DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
except Exception as error:  # no torch at all
    missing = str(error)


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def randn(*shape, dtype=None):
    return torch.randn(*shape, device=DEVICE).to(dtype or f32)


def on(make, *shape, dtype=None):
    """A workload over operands of one shape each."""
    return lambda: (lambda xs: lambda: make(*xs))([randn(*shape, dtype=dtype)])


def backward(f, dtype):
    def prepare():
        x, g = randn(ROWS, ROWS, dtype=dtype).requires_grad_(), randn(ROWS, ROWS, dtype=dtype)
        y = f(x)

        def run():
            x.grad = None
            y.backward(g, retain_graph=True)

        return run

    return prepare


def pair(f, *shapes, grad=False):
    def prepare():
        xs = [randn(*s) for s in shapes]
        if grad:
            xs[0].requires_grad_()
        return lambda: f(*xs)

    return prepare


def product(m, k, n, dtype):
    def prepare():
        a, b = randn(m, k, dtype=dtype), randn(k, n, dtype=dtype)
        return lambda: a @ b

    return prepare


def products():
    def sizes(n, tall=False):
        n = 32 if SMALL else n
        return (4 * n, n // 4, n // 4) if tall else (n, n, n)

    def row(n, dtype, name, tall=False):
        m, k, p = (4 * n, n // 4, n // 4) if tall else (n, n, n)
        return f"matmul {m}x{k}x{p} {name}", product(*sizes(n, tall), dtype)

    return dict([
        row(8192, bf16, "bfloat16"), row(8192, torch.float16, "float16"), row(4096, bf16, "bfloat16"),
        row(4096, bf16, "bfloat16", True), row(4096, f32, "float32"), row(2048, torch.float64, "float64"),
    ])


def linear_gelu():
    n, w = (8, 16) if SMALL else (16384, 768)
    net = nn.Sequential(nn.Linear(w, 4 * w), nn.GELU(approximate="tanh"), nn.Linear(4 * w, w)).to(DEVICE, bf16)
    x = randn(n, w, dtype=bf16)

    def run():
        with torch.no_grad():
            return net(x)

    return run


def attention(size, causal, both):
    def prepare():
        shape = (1, 2, 32, size[3]) if SMALL else size
        q, k, v, g = (randn(*shape, dtype=bf16) for _ in range(4))
        for x in (q, k, v):
            x.requires_grad_(both)

        def run():
            if not both:
                return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
            q.grad = k.grad = v.grad = None
            F.scaled_dot_product_attention(q, k, v, is_causal=causal).backward(g)

        return run

    return prepare


def attentions():
    def row(size, causal, both):
        name = f"attention {'x'.join(map(str, size))} bfloat16"
        return name + (", causal" if causal else "") + (", both ways" if both else ""), attention(size, causal, both)

    short, wide, long = (8, 32, 2048, 64), (8, 16, 2048, 128), (2, 16, 8192, 128)
    return dict([row(short, True, False), row(short, True, True), row(wide, True, False), row(wide, True, True),
                 row(long, True, True), row(short, False, True)])


def gpt2(compiled):
    def prepare():
        width, layers, heads, length, vocabulary, batch = (32, 2, 2, 16, 64, 2) if SMALL else (768, 12, 12, 1024, 50304, 16)

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
                self.c_attn, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
                self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))

            def forward(self, x):
                b, t, c = x.shape
                q, k, v = (p.view(b, t, heads, c // heads).transpose(1, 2) for p in self.c_attn(self.ln_1(x)).split(width, 2))
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
                return x + self.mlp(self.ln_2(x))

        class GPT2(nn.Module):
            def __init__(self):
                super().__init__()
                self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
                self.h, self.ln_f = nn.Sequential(*[Block() for _ in range(layers)]), nn.LayerNorm(width)
                self.lm_head = nn.Linear(width, vocabulary, bias=False)
                self.lm_head.weight = self.wte.weight
                for p in self.parameters():
                    if p.ndim > 1:
                        nn.init.normal_(p, 0, 0.02)

            def forward(self, ids, targets):
                x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
                logits = self.lm_head(self.ln_f(self.h(x)))
                return F.cross_entropy(logits.view(-1, vocabulary), targets.view(-1))

        torch.manual_seed(0)
        model = GPT2().to(DEVICE)
        opt = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
        run_model = torch.compile(model) if compiled else model
        ids = torch.randint(0, vocabulary, (batch, length + 1), device=DEVICE)
        inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()

        def step():
            opt.zero_grad(set_to_none=True)
            with torch.autocast(DEVICE, dtype=bf16):
                loss = run_model(inputs, targets)
            loss.backward()
            opt.step()

        return step

    return prepare


def resnet_model(layers, classes):
    """ResNet of bottleneck blocks: torchvision's (version 1.5: the 3x3 has the stride), which the machine may lack."""

    def unit(inputs, outputs, size, stride=1):
        return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)

    class Bottleneck(nn.Module):
        def __init__(self, inputs, width, stride):
            super().__init__()
            self.conv1, self.bn1 = unit(inputs, width, 1)
            self.conv2, self.bn2 = unit(width, width, 3, stride)
            self.conv3, self.bn3 = unit(width, 4 * width, 1)
            self.relu = nn.ReLU(inplace=True)
            fits = stride == 1 and inputs == 4 * width
            self.downsample = None if fits else nn.Sequential(*unit(inputs, 4 * width, 1, stride))

        def forward(self, x):
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.relu(self.bn2(self.conv2(y)))
            y = self.bn3(self.conv3(y))
            y += x if self.downsample is None else self.downsample(x)
            return self.relu(y)

    stages, inputs = [], 64
    for stage, blocks in enumerate(layers):
        width = 64 << stage
        for i in range(blocks):
            stages.append(Bottleneck(inputs, width, 2 if stage > 0 and i == 0 else 1))
            inputs = 4 * width
    model = nn.Sequential(
        *unit(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1), *stages,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes),
    )
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    return model


def resnet():
    torch.backends.cudnn.benchmark = True
    batch, side, classes = (2, 32, 10) if SMALL else (128, 224, 1000)
    model = resnet_model([1, 1, 1, 1] if SMALL else [3, 4, 6, 3], classes)
    model = model.to(DEVICE, memory_format=torch.channels_last)
    x = randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, classes, (batch,), device=DEVICE)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def step():
        opt.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE, dtype=bf16):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()

    return step


def conv():
    torch.backends.cudnn.benchmark = True
    n, side = (2, 8) if SMALL else (64, 56)
    x = randn(n, 64, side, side, dtype=bf16).contiguous(memory_format=torch.channels_last).requires_grad_()
    w = randn(64, 64, 3, 3, dtype=bf16).contiguous(memory_format=torch.channels_last).requires_grad_()

    def step():
        x.grad = w.grad = None
        y = F.conv2d(x, w, padding=1)
        y.backward(y.detach())

    return step


def mlp():
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)).to(DEVICE)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
    x, y = randn(64, 784), torch.randint(0, 10, (64,), device=DEVICE)

    def step():
        opt.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y).backward()
        opt.step()

    return step


def workloads():
    flat = lambda f, dtype=None: on(f, COUNT, dtype=dtype)
    rows = lambda f, dtype=None: on(f, ROWS, ROWS, dtype=dtype)
    norm = lambda x: F.layer_norm(x, x.shape[1:])
    return {
        "add, 16 elements": pair(torch.add, (16,), (16,)),
        "gelu, 16 elements": pair(F.gelu, (16,)),
        "sum, 16 elements": pair(torch.sum, (16,)),
        "softmax, 8x16": pair(lambda x: x.softmax(-1), (8, 16)),
        "linear, 8x64 to 64": pair(F.linear, (8, 64), (64, 64), (64,)),
        "add with a graph, 16 elements": pair(torch.add, (16,), (16,), grad=True),
        "copy, 64M float32": flat(lambda x: x.clone()),
        "add, 64M float32": flat(lambda x: x + 1),
        "add two, 64M float32": flat(lambda x: x + x),
        "gelu, 64M bfloat16": flat(F.gelu, bf16),
        "to float32, 64M bfloat16": flat(lambda x: x.float(), bf16),
        "add a row, 8192x8192 bfloat16": rows(lambda x: x + x[0], bf16),
        "transposed copy, 8192x8192 float32": rows(lambda x: x.t().contiguous()),
        "sum, 64M float32": flat(torch.sum),
        "sum, 64M bfloat16": flat(torch.sum, bf16),
        "sum of columns, 8192x8192 float32": rows(lambda x: x.sum(0)),
        "sum of rows, 8192x8192 float32": rows(lambda x: x.sum(1)),
        "argmax of rows, 8192x8192 float32": rows(lambda x: x.argmax(1)),
        "softmax, 8192x8192 float32": rows(lambda x: x.softmax(-1)),
        "softmax, 8192x8192 bfloat16": rows(lambda x: x.softmax(-1), bf16),
        "layerNorm, 8192x8192 float32": rows(norm),
        "layerNorm, 8192x8192 bfloat16": rows(norm, bf16),
        "softmax backward, 8192x8192 bfloat16": backward(lambda x: x.softmax(-1), bf16),
        "layerNorm backward, 8192x8192 bfloat16": backward(norm, bf16),
        "cumsum, 64M float32": flat(lambda x: x.cumsum(0)),
        "cumsum of rows, 8192x8192 float32": rows(lambda x: x.cumsum(1)),
        "sort, 64M float32": flat(lambda x: x.sort().values),
        **products(),
        "linear, gelu (tanh), linear 16384x768 bfloat16": linear_gelu,
        **attentions(),
        "GPT-2 124M training, bfloat16": gpt2(False),
        "GPT-2 124M training, bfloat16, torch.compile": gpt2(True),
        "ResNet-50 training, bfloat16, channels last": resnet,
        "conv 3x3, 64x64x56x56 bfloat16, channels last, both ways": conv,
        "MLP step, batch 64": mlp,
    }


def timed(run, runs, issue=False):
    start = time.perf_counter()
    for _ in range(runs):
        run()
    issued = time.perf_counter() - start
    synchronize()
    return issued if issue else time.perf_counter() - start


def prepare(name, seconds, issue):
    run = workloads()[name]()
    timed(run, 3)
    runs = 500 if issue else 1
    while not issue and runs < 1 << 16 and timed(run, runs) < seconds / 2:
        runs *= 2
    return run, runs


def answer(question, ready):
    name, seconds, issue = question["workload"], question.get("seconds", 0.1), question.get("issue", False)
    if name not in ready:
        ready.clear()
        if DEVICE == "cuda":
            torch.cuda.empty_cache()
        ready[name] = prepare(name, seconds, issue)
    run, runs = ready[name]
    return timed(run, runs, issue) / runs


def main():
    ready = {}
    for line in sys.stdin:
        question = json.loads(line)
        if missing:
            reply(error=missing)
        elif question["workload"] == "info":
            # As ours: exact float32 products and convolutions.
            torch.backends.cudnn.allow_tf32 = False
            reply(info=f"{torch.__version__} on {torch.cuda.get_device_name() if DEVICE == 'cuda' else 'the processor'}")
        else:
            try:
                reply(seconds=answer(question, ready))
            except Exception as error:
                reply(error=f"{type(error).__name__}: {error}"[:300])


if "--names" in sys.argv:
    print(json.dumps([] if missing and "False" not in missing else list(workloads())), file=STDOUT)
elif "--warm" in sys.argv:
    if not missing:
        timed(workloads()[sys.argv[sys.argv.index("--warm") + 1]](), 2)
else:
    main()
