"""PyTorch's side of the table: the workloads of workloads.ts by the same names, over the same line protocol."""
import json, os, sys, time
import torch
import torch.nn.functional as F

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
M = 2**20


def matmul(n):
    a, b = torch.randn(n, n), torch.randn(n, n)
    return lambda: torch.matmul(a, b)


def conv():
    x = torch.randn(32, 32, 28, 28, requires_grad=True)
    w = torch.randn(32, 32, 3, 3, requires_grad=True)
    g = torch.ones(32, 32, 28, 28)

    def step():
        F.conv2d(x, w, None, 1, 1).backward(g)
        x.grad = w.grad = None

    return step


def mlp():
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
    )
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    x, t = torch.randn(64, 784), torch.randint(0, 10, (64,))

    def step():
        opt.zero_grad()
        F.cross_entropy(model(x), t).backward()
        opt.step()

    return step


def train(model, x, classes):
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        opt.zero_grad()
        F.cross_entropy(model(x), classes).backward()
        opt.step()

    return step


def layers(*sizes):
    pairs = [m for a, b in zip(sizes, sizes[1:]) for m in (torch.nn.Linear(a, b), torch.nn.ReLU())]
    return torch.nn.Sequential(*pairs[:-1])


def conv_unit(inputs, outputs, stride=1):
    return torch.nn.Sequential(
        torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU()
    )


class Residual(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.inner = torch.nn.Sequential(conv_unit(channels, channels), conv_unit(channels, channels))

    def forward(self, x):
        return x + self.inner(x)


class ByteTransformer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(256, 128)
        layer = lambda: torch.nn.TransformerEncoderLayer(128, 4, 512, 0, batch_first=True, norm_first=True)
        self.layers = torch.nn.Sequential(layer(), layer())
        self.head = torch.nn.Linear(128, 256)

    def forward(self, x):
        return self.head(self.layers(self.embedding(x))).reshape(-1, 256)


def train_digits():
    unit = torch.nn.Sequential(
        conv_unit(1, 32), conv_unit(32, 64), torch.nn.MaxPool2d(2), torch.nn.Flatten(), layers(1024, 128, 10)
    )
    return train(unit, torch.randn(32, 1, 8, 8), torch.randint(0, 10, (32,)))


def train_residual():
    head = (torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 10))
    model = torch.nn.Sequential(conv_unit(3, 16), Residual(16), conv_unit(16, 32, 2), Residual(32), *head)
    return train(model, torch.randn(16, 3, 32, 32), torch.randint(0, 10, (16,)))


def train_transformer():
    return train(ByteTransformer(), torch.randint(0, 256, (4, 64)), torch.randint(0, 256, (256,)))


def train_mlp(batch, *sizes):
    return train(layers(*sizes), torch.randn(batch, sizes[0]), torch.randint(0, sizes[-1], (batch,)))


def unary(f, *shape):
    x = torch.randn(*shape)
    return lambda: f(x)


def binary(n, grad=False):
    a, b = torch.randn(n, requires_grad=grad), torch.randn(n)
    return lambda: torch.add(a, b)


WORKLOADS = {
    "add 16": lambda: binary(16),
    "add 16, recording gradients": lambda: binary(16, True),
    "add 1M": lambda: binary(M),
    "exp 1M": lambda: unary(torch.exp, M),
    "gelu 1M": lambda: unary(F.gelu, M),
    "sum 1M": lambda: unary(torch.sum, M),
    "softmax 1024×1024": lambda: unary(lambda x: torch.softmax(x, -1), 1024, 1024),
    "layerNorm 1024×1024": lambda: unary(lambda x: F.layer_norm(x, (1024,)), 1024, 1024),
    "matmul 512": lambda: matmul(512),
    "matmul 1024": lambda: matmul(1024),
    "conv2d 3×3 forward + backward": conv,
    "MLP 784-128-128-10 step, batch 64": mlp,
    "train MLP 16-32-4, batch 8": lambda: train_mlp(8, 16, 32, 4),
    "train MLP 784-128-128-10, batch 64": lambda: train_mlp(64, 784, 128, 128, 10),
    "train convolutions on 8×8, batch 32": train_digits,
    "train residual network on 32×32, batch 16": train_residual,
    "train transformer 2×128, 4×64 tokens": train_transformer,
}
ready = {}


def timed(run, runs):
    start = time.perf_counter()
    for _ in range(runs):
        run()
    return time.perf_counter() - start


def answer(question):
    name = question["workload"]
    if name == "info":
        return {"info": f"PyTorch {torch.__version__}"}
    if name not in WORKLOADS:
        return {"error": "has no such workload"}
    if name not in ready:
        run, runs = WORKLOADS[name](), 1
        while timed(run, runs) < 0.02:
            runs *= 2
        ready[name] = run, runs
    run, runs = ready[name]
    seconds, done = 0.0, 0
    while seconds < question["seconds"]:
        seconds += timed(run, runs)
        done += runs
    return {"nanoseconds": seconds / done * 1e9}


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # reported to the harness, which prints it in the table
        reply = {"error": str(error)}
    print(json.dumps(reply), flush=True)
