"""What PyTorch, Hugging Face transformers and PEFT do on this card: the other side of bench/cuda's tables.

Usage: card.py products|attention|step|copy '<JSON of the problem>'. Writes one line of JSON. Needs torch with CUDA; `step`
also transformers and peft. Times are the best of several, by CUDA events, inputs random.
"""

import json
import sys

import torch
import torch.nn.functional as F


def best_seconds(work, runs=12, warm=3):
    for _ in range(warm):
        work()
    best = float('inf')
    for _ in range(runs):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        best = min(best, start.elapsed_time(end) / 1000)
    return best


def random(*shape):
    return torch.rand(*shape, device='cuda', dtype=torch.bfloat16) * 2 - 1


def products(problem):
    """Each of `shapes` [rows, inner, columns]: x · weightᵀ and cotangent · weight, seconds a product."""
    copies = 4
    result = []
    for rows, inner, columns in problem['shapes']:
        x, cotangent, weight = random(rows, inner), random(rows, columns), random(columns, inner)
        forward = best_seconds(lambda: [torch.matmul(x, weight.t()) for _ in range(copies)]) / copies
        backward = best_seconds(lambda: [torch.matmul(cotangent, weight) for _ in range(copies)]) / copies
        result.append([forward, backward])
    return {'torch': torch.__version__, 'seconds': result}


def attention(problem):
    """Causal attention of each shape, forward and gradient, by scaled_dot_product_attention."""
    result = []
    for shape in problem['shapes']:
        rows, length, heads, groups, dim = (shape[k] for k in ('rows', 'length', 'heads', 'keyValueHeads', 'headDim'))
        q = random(rows, heads, length, dim).requires_grad_()
        k, v = (random(rows, groups, length, dim).requires_grad_() for _ in range(2))
        seed = random(rows, heads, length, dim)

        def attend():
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=heads != groups)

        with torch.no_grad():
            forward = best_seconds(attend)
        both = best_seconds(lambda: torch.autograd.grad(attend(), (q, k, v), seed))
        result.append([forward, both - forward])
    return {'seconds': result}


def step(problem):
    """A LoRA step by PEFT on random weights: gradient of rows × length tokens and AdamW, with the best of its settings."""
    import peft
    import transformers

    config = problem['config']
    shape = dict(
        vocab_size=config['vocabSize'],
        hidden_size=config['hiddenSize'],
        intermediate_size=config['intermediateSize'],
        num_hidden_layers=config['numHiddenLayers'],
        num_attention_heads=config['numAttentionHeads'],
        num_key_value_heads=config['numKeyValueHeads'],
        rms_norm_eps=config['rmsNormEps'],
        max_position_embeddings=config['maxPositionEmbeddings'],
        tie_word_embeddings=config['tieWordEmbeddings'],
    )
    kind = transformers.Qwen2Config if config['modelType'] == 'qwen2' else transformers.LlamaConfig
    torch.set_default_dtype(torch.bfloat16)
    with torch.device('cuda'):
        model = transformers.AutoModelForCausalLM.from_config(kind(**shape), attn_implementation='sdpa')
    torch.set_default_dtype(torch.float32)
    modules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
    lora = peft.LoraConfig(r=problem['rank'], lora_alpha=2 * problem['rank'], target_modules=modules, task_type='CAUSAL_LM')
    # Adapters in bfloat16 as well: faster than PEFT's own choice of float32.
    model = peft.get_peft_model(model, lora, autocast_adapter_dtype=False)
    if problem['recompute']:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={'use_reentrant': False})
    model.config.use_cache = False
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.98), weight_decay=0, fused=True)
    ids = torch.randint(0, shape['vocab_size'], (problem['rows'], problem['length']), device='cuda')
    if problem.get('compile'):
        model = torch.compile(model)
    torch.cuda.reset_peak_memory_stats()

    def one():
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    seconds = best_seconds(one, runs=problem.get('runs', 5), warm=2)
    versions = f'torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}'
    return {'seconds': seconds, 'bytes': torch.cuda.max_memory_allocated(), 'versions': versions}


def copy(problem):
    """Bytes a second of a large copy on the card, read and written counted."""
    source = torch.empty(problem['bytes'], device='cuda', dtype=torch.uint8)
    target = torch.empty_like(source)
    return {'bytesPerSecond': 2 * problem['bytes'] / best_seconds(lambda: target.copy_(source))}


if __name__ == '__main__':
    task = {'products': products, 'attention': attention, 'step': step, 'copy': copy}[sys.argv[1]]
    if not torch.cuda.is_available():
        raise SystemExit('this PyTorch sees no card')
    print(json.dumps(task(json.loads(sys.argv[2]))))
