/**
 * Every kernel of the fat binary: its parameters in order, its threads a block and its dynamic shared memory. What each
 * computes stands with its source in kernels/; how large a grid it wants, in kernels/launches. A test compares this table
 * with the signatures in the sources.
 */

/** How an element is stored: the code that kernels take in parameters named …Type. */
export const elementTypes = { float32: 0, bfloat16: 1, float16: 2 } as const;
export type ElementType = keyof typeof elementTypes;

/** Bytes of one element. */
export const elementBytes = { float32: 4, bfloat16: 2, float16: 2 } as const;

/** Sizes of heads that attention kernels exist for; a smaller head is filled up with zeros inside the kernel. */
export const attentionHeadSizes = [64, 128, 256] as const;

interface KernelShape<Parameters extends string> {
  /** name:kind for each parameter, kind being p (address, 8 bytes), i (int32) or f (float32). */
  parameters: Parameters;
  /** Threads a block. */
  threads: number;
  /** Dynamic shared memory in bytes; more than 48 KB has to be allowed for the function before its first launch. */
  sharedBytes: number;
}

function kernel<const Parameters extends string>(
  threads: number,
  parameters: Parameters,
  sharedBytes = 0,
): KernelShape<Parameters> {
  return { parameters, threads, sharedBytes };
}

// out[m, n] = factor · (left · right + panelLeft · panelRight) + bias[n] + added[m, n], plus out itself where accumulate
// is 1. Nt: left [m, k], right [n, k]. Nn: left [m, k], right [k, n]. Tn: left [k, m], right [k, n]. The panel has the
// same form with panelK for k. Operands are bfloat16; out and added are of their types. Strides are of elements. With
// splits > 1, k is cut and partial [splits, m, n] float32 receives the sums, which matmulFinish adds up in order.
const product =
  'left:p right:p out:p m:i n:i k:i leftStride:i rightStride:i outStride:i outType:i ' +
  'panelLeft:p panelRight:p panelK:i panelLeftStride:i panelRightStride:i ' +
  'bias:p biasType:i added:p addedType:i addedStride:i factor:f accumulate:i ' +
  'batchLeft:i batchRight:i batchOut:i splits:i partial:p';

// The same with codes for the right operand, and a bfloat16 scale for each 32 of them.
const quantizedProduct =
  'left:p right:p scales:p out:p m:i n:i k:i leftStride:i rightStride:i outStride:i outType:i ' +
  'panelLeft:p panelRight:p panelK:i panelLeftStride:i panelRightStride:i ' +
  'bias:p biasType:i added:p addedType:i addedStride:i factor:f accumulate:i ' +
  'batchLeft:i batchRight:i batchOut:i splits:i partial:p';

const attention =
  'q:p k:p v:p sequenceIds:p past:p queryStride:i keyStride:i valueStride:i outStride:i ' +
  'rows:i length:i heads:i keyValueHeads:i headDim:i scale:f window:i cap:f';

const attentionGrad = `${attention} cotangent:p logSumExp:p delta:p cotangentStride:i` as const;

const matvec =
  'x:p xType:i weight:p scales:p out:p outType:i n:i k:i weightStride:i panelLeft:p panelRight:p panelK:i ' +
  'panelRightStride:i bias:p biasType:i added:p addedType:i factor:f xStride:i outStride:i addedStride:i panelLeftStride:i';

export const kernelTable = {
  convert: kernel(256, 'x:p xType:i out:p outType:i count:i'),
  fill: kernel(256, 'out:p outType:i value:f count:i'),
  copyRows: kernel(256, 'x:p xType:i xStride:i out:p outType:i outStride:i rows:i columns:i'),
  appendRows: kernel(256, 'x:p xType:i xStride:i cache:p cacheType:i past:p rows:i columns:i'),
  add: kernel(256, 'left:p leftType:i right:p rightType:i out:p outType:i count:i'),
  multiply: kernel(256, 'left:p leftType:i right:p rightType:i out:p outType:i count:i'),
  affine: kernel(256, 'x:p xType:i out:p outType:i factor:f offset:f count:i'),
  scaleBy: kernel(256, 'x:p xType:i factor:p out:p outType:i count:i'),
  sigmoid: kernel(256, 'x:p xType:i out:p outType:i count:i'),
  swiglu: kernel(256, 'gate:p gateType:i up:p upType:i out:p outType:i count:i'),
  swigluGrad: kernel(
    256,
    'gate:p gateType:i up:p upType:i cotangent:p cotangentType:i ofGate:p ofGateType:i ofUp:p ofUpType:i count:i',
  ),
  addBias: kernel(256, 'x:p xType:i bias:p biasType:i out:p outType:i rows:i columns:i'),
  columnSum: kernel(256, 'x:p xType:i partial:p rows:i columns:i rowsPerBlock:i'),
  columnSumFinish: kernel(256, 'partial:p out:p chunks:i columns:i accumulate:i'),
  gatedBlend: kernel(256, 'a:p aType:i b:p bType:i gate:p gateType:i out:p outType:i rows:i heads:i headDim:i'),
  gatedBlendGrad: kernel(
    256,
    'a:p aType:i b:p bType:i gate:p gateType:i cotangent:p cotangentType:i ' +
      'ofA:p ofAType:i ofB:p ofBType:i ofGate:p ofGateType:i rows:i heads:i headDim:i',
  ),

  rmsNorm: kernel(
    256,
    'x:p xType:i added:p addedType:i sum:p sumType:i weight:p weightType:i out:p outType:i ' +
      'rows:i width:i rowThreads:i epsilon:f',
  ),
  rmsNormInputGrad: kernel(
    256,
    'x:p xType:i weight:p weightType:i cotangent:p cotangentType:i added:p addedType:i out:p outType:i ' +
      'rows:i width:i rowThreads:i epsilon:f',
  ),
  rmsNormWeightGrad: kernel(
    256,
    'x:p xType:i cotangent:p cotangentType:i partial:p rows:i width:i rowsPerBlock:i epsilon:f',
  ),
  rope: kernel(
    256,
    'x:p xType:i xStride:i positions:p cosines:p sines:p out:p outType:i outStride:i ' +
      'rows:i heads:i headDim:i turned:i inverse:i',
  ),
  embedding: kernel(256, 'table:p tableType:i ids:p out:p outType:i rows:i columns:i'),
  embeddingGrad: kernel(256, 'ids:p cotangent:p cotangentType:i out:p rows:i columns:i'),

  matmulNt128: kernel(128, product, 49152),
  matmulNn128: kernel(128, product, 49152),
  matmulTn128: kernel(128, product, 49152),
  matmulNt64: kernel(128, product, 32768),
  matmulNn64: kernel(128, product, 32768),
  matmulTn64: kernel(128, product, 32768),
  matmulNtNarrow: kernel(128, product, 36864),
  matmulNnNarrow: kernel(128, product, 36864),
  matmulTnNarrow: kernel(128, product, 36864),
  matmulTnFlat: kernel(128, product, 36864),
  matmulFinish: kernel(
    256,
    'partial:p out:p outType:i outStride:i m:i n:i splits:i bias:p biasType:i added:p addedType:i addedStride:i ' +
      'factor:f accumulate:i batchOut:i',
  ),
  // Only for cards of capability 9.0; on others they do nothing.
  matmulNtHopper128: kernel(256, product, 98304),
  matmulNnHopper128: kernel(256, product, 98304),
  matmulTnHopper128: kernel(256, product, 98304),
  matmulNtHopper256: kernel(256, product, 196608),
  matmulNnHopper256: kernel(256, product, 196608),
  matmulTnHopper256: kernel(256, product, 196608),
  matmulNtInt8: kernel(128, quantizedProduct, 49152),
  matmulNnInt8: kernel(128, quantizedProduct, 49152),
  matmulNtInt4: kernel(128, quantizedProduct, 49152),
  matmulNnInt4: kernel(128, quantizedProduct, 49152),
  quantizeInt8: kernel(256, 'x:p xType:i codes:p scales:p rows:i columns:i'),
  quantizeInt4: kernel(256, 'x:p xType:i codes:p scales:p rows:i columns:i'),
  dequantizeInt8: kernel(256, 'codes:p scales:p out:p outType:i rows:i columns:i'),
  dequantizeInt4: kernel(256, 'codes:p scales:p out:p outType:i rows:i columns:i'),

  attentionForward64: kernel(128, `${attention} out:p logSumExp:p`, 32768),
  attentionForward128: kernel(128, `${attention} out:p logSumExp:p`, 49152),
  attentionForward256: kernel(128, `${attention} out:p logSumExp:p`, 65536),
  attentionDelta: kernel(
    256,
    'out:p cotangent:p delta:p outStride:i cotangentStride:i rows:i length:i heads:i headDim:i',
  ),
  attentionKeyGrad64: kernel(128, `${attentionGrad} ofK:p ofV:p ofKStride:i ofVStride:i`, 41472),
  attentionKeyGrad128: kernel(128, `${attentionGrad} ofK:p ofV:p ofKStride:i ofVStride:i`, 82432),
  attentionKeyGrad256: kernel(128, `${attentionGrad} ofK:p ofV:p ofKStride:i ofVStride:i`, 90624),
  attentionQueryGrad64: kernel(128, `${attentionGrad} ofQ:p ofQStride:i`, 41472),
  attentionQueryGrad128: kernel(128, `${attentionGrad} ofQ:p ofQStride:i`, 82432),
  attentionQueryGrad256: kernel(128, `${attentionGrad} ofQ:p ofQStride:i`, 90624),
  // Only for cards of capability 9.0, which take the others for heads of 256.
  attentionForwardHopper64: kernel(256, `${attention} out:p logSumExp:p`, 49152),
  attentionKeyGradHopper64: kernel(256, `${attentionGrad} ofK:p ofV:p ofKStride:i ofVStride:i`, 67584),
  attentionQueryGradHopper64: kernel(256, `${attentionGrad} ofQ:p ofQStride:i`, 67584),
  attentionForwardHopper128: kernel(256, `${attention} out:p logSumExp:p`, 98304),
  attentionKeyGradHopper128: kernel(256, `${attentionGrad} ofK:p ofV:p ofKStride:i ofVStride:i`, 133120),
  attentionQueryGradHopper128: kernel(256, `${attentionGrad} ofQ:p ofQStride:i`, 133120),
  attentionDecode: kernel(
    128,
    'q:p keys:p values:p past:p partial:p queryStride:i keyStride:i valueStride:i ' +
      'length:i heads:i keyValueHeads:i headDim:i scale:f window:i cap:f splits:i',
    33792,
  ),
  attentionDecodeFinish: kernel(128, 'partial:p out:p outType:i outStride:i length:i heads:i headDim:i splits:i'),

  crossEntropyRows: kernel(
    512,
    'logits:p logitsType:i logitsStride:i labels:p weights:p gradient:p gradientStride:i perToken:p correct:p ' +
      'rows:i vocabulary:i cap:f',
  ),
  distillationRows: kernel(
    512,
    'logits:p logitsType:i logitsStride:i topIds:p topLogProbabilities:p topCount:i weights:p gradient:p ' +
      'gradientStride:i perToken:p rows:i vocabulary:i cap:f',
  ),
  weightedSum: kernel(256, 'values:p weights:p out:p count:i'),
  sumOfSquares: kernel(256, 'x:p partial:p count:i'),
  euclideanNorm: kernel(256, 'partial:p norm:p inverse:p count:i'),
  adamw: kernel(
    256,
    'parameters:p first:p second:p gradient:p learningRate:p step:p norm:p nextParameters:p nextFirst:p nextSecond:p ' +
      'rounded:p beta1:f beta2:f epsilon:f weightDecay:f clipNorm:f count:i',
  ),

  matvecBf16: kernel(128, matvec),
  matvecInt8: kernel(128, matvec),
  matvecInt4: kernel(128, matvec),
  argmax: kernel(1024, 'x:p xType:i out:p count:i'),
} as const satisfies Record<string, KernelShape<string>>;

export type KernelName = keyof typeof kernelTable;

type ParameterKind<Kind extends string> = Kind extends 'p' ? 'p' : 'n';
type Split<Text extends string> = Text extends `${infer Name}:${infer Kind} ${infer Rest}`
  ? { [Key in Name]: ParameterKind<Kind> } & Split<Rest>
  : Text extends `${infer Name}:${infer Kind}`
    ? { [Key in Name]: ParameterKind<Kind> }
    : never;
type Parameters<Name extends KernelName> = Split<(typeof kernelTable)[Name]['parameters']>;

/** A value for each parameter of a kernel, by name. `Buffer` stands for device memory; null is the null address. */
export type KernelArguments<Name extends KernelName, Buffer> = {
  [Key in keyof Parameters<Name>]: Parameters<Name>[Key] extends 'p' ? Buffer | null : number;
};

/** One launch, with device memory still to be resolved to addresses. */
export interface KernelLaunch<Buffer> {
  kernel: KernelName;
  /** Blocks. */
  grid: readonly [number, number, number];
  /** In the kernel's order. */
  arguments: readonly (Buffer | number | null)[];
}

export interface KernelParameter {
  name: string;
  kind: 'p' | 'i' | 'f';
}

/** The parameters of a kernel in order. */
export function kernelParameters(name: KernelName): KernelParameter[] {
  return kernelTable[name].parameters.split(' ').map((text) => {
    const [parameter, kind] = text.split(':') as [string, KernelParameter['kind']];
    return { name: parameter, kind };
  });
}

/** A launch of a kernel. Errors: Error where an argument is missing or the grid is empty. */
export function launch<Name extends KernelName, Buffer>(
  name: Name,
  grid: readonly [number, number, number],
  values: KernelArguments<Name, Buffer>,
): KernelLaunch<Buffer> {
  const byName = values as Record<string, Buffer | number | null | undefined>;
  const list = kernelParameters(name).map((parameter) => {
    const value = byName[parameter.name];
    if (value === undefined) throw new Error(`kernel '${name}' wants an argument '${parameter.name}'`);
    return value;
  });
  if (grid.some((blocks) => !(blocks >= 1))) throw new Error(`kernel '${name}' has an empty grid [${grid.join(', ')}]`);
  return { kernel: name, grid, arguments: list };
}
