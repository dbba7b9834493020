"""Records a small GPT2LMHeadModel of Hugging Face's transformers: its state, a loss, gradients, and scores after a step.

python3 tests/golden/make_gpt2.py (needs torch, transformers, safetensors) writes tests/golden/gpt2.safetensors.
"""
import os
import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
config = GPT2Config(vocab_size=61, n_positions=16, n_embd=24, n_layer=2, n_head=3, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
model = GPT2LMHeadModel(config).train()
for p in model.parameters():  # biases and norms at something other than 0 and 1
    p.data += 0.05 * torch.randn_like(p)
out = {"state." + k: v.clone() for k, v in model.state_dict().items()}
ids, targets = torch.randint(0, 61, (2, 13)), torch.randint(0, 61, (2, 13))
out["ids"], out["targets"] = ids, targets
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
logits = model(ids).logits
loss = torch.nn.functional.cross_entropy(logits.view(-1, 61), targets.view(-1))
loss.backward()
out["logits"], out["loss"] = logits.detach().clone(), loss.detach().clone()
for name, p in model.named_parameters():
    out["grad." + name] = p.grad.clone()
optimizer.step()
out["after"] = model(ids).logits.detach().clone()
save_file({k: v.contiguous() for k, v in out.items()}, os.path.join(os.path.dirname(__file__), "gpt2.safetensors"))
