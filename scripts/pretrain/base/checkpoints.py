"""Weights as parts of a safetensors file, small enough to be carried one by one: name.000, name.001, ..."""

import glob
import json
import os
import struct

import torch

PART_BYTES = 15 * 1024 * 1024


def write_checkpoint(folder, name, config, parameters, precision=torch.float16):
    """Half precision, tensors in the order of their names; the config is in the header's metadata."""
    header = {'__metadata__': {'format': 'pt', 'config': json.dumps(config)}}
    chunks, offset = [], 0
    for tensor_name in sorted(parameters):
        value = parameters[tensor_name].detach().to('cpu', precision).contiguous()
        data = value.numpy().tobytes()
        dtype = {torch.float16: 'F16', torch.float32: 'F32'}[precision]
        header[tensor_name] = {'dtype': dtype, 'shape': list(value.shape), 'data_offsets': [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    whole = struct.pack('<Q', len(text)) + text + b''.join(chunks)
    for part in range(0, len(whole), PART_BYTES):
        with open(os.path.join(folder, f'{name}.{part // PART_BYTES:03}'), 'wb') as file:
            file.write(whole[part : part + PART_BYTES])


def remove_checkpoint(folder, name):
    for file in glob.glob(os.path.join(folder, f'{name}.[0-9][0-9][0-9]')):
        os.remove(file)
