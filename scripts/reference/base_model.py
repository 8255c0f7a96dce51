"""What the PyTorch code that trains lift-base computes for a tiny random model, in the folder that it would be shipped in.

Unlike the other scripts here it uses the code under test, scripts/pretrain/base/model.py, and its checkpoints: the product
has to find the same logits. Usage: base_model.py <output folder>.
"""

import json
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'pretrain', 'base'))

from checkpoints import write_checkpoint  # noqa: E402
from model import Llama, initial_parameters, llama_config  # noqa: E402

ROWS, LENGTH = 2, 12


def main(folder):
    config = llama_config(61, hidden=32, layers=2, heads=2, groups=1, feed=48, context=64)
    device = torch.device('cpu')
    parameters = initial_parameters(config, 3, device)
    generator = torch.Generator().manual_seed(4)
    for name, value in parameters.items():
        # Norms of one and small matrices would hide a mistake.
        value.mul_(1 + 0.3 * torch.randn(value.shape, generator=generator) if 'norm' in name else 8)
    ids = torch.randint(61, (ROWS, LENGTH), generator=generator)
    with torch.no_grad():
        logits = Llama(config, device).logits(parameters, ids)
        losses = Llama(config, device).losses(parameters, ids)
    os.makedirs(folder, exist_ok=True)
    write_checkpoint(folder, 'model', config, parameters, torch.float32)
    os.rename(os.path.join(folder, 'model.000'), os.path.join(folder, 'model.safetensors'))
    with open(os.path.join(folder, 'config.json'), 'w') as file:
        json.dump({**config, 'torch_dtype': 'float32'}, file, indent=1)
    rounded = lambda tensor: [round(float(value), 6) for value in tensor.flatten()]
    values = {'ids': ids.tolist(), 'logits': rounded(logits), 'losses': rounded(losses)}
    with open(os.path.join(folder, 'values.json'), 'w') as file:
        json.dump(values, file)


main(sys.argv[1])
