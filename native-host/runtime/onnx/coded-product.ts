/** Products with a frozen matrix that lies in codes (model/coded-weights.ts). */
import path from 'node:path';
import { blockLength, type CodedTensor } from '../../model/coded-weights.ts';
import type { OnnxBuilder } from './builder.ts';

interface CodedOperand {
  name: string;
  /** [N, K] */
  weight: CodedTensor;
  /** left [M, K] · weightᵀ rather than left [M, N] · weight. */
  transposed: boolean;
}

/**
 * With the values that the codes stand for. They are there for as long as the product takes: their scales come after the
 * left operand, so that no matrix is unfolded before its turn or kept from the forward pass to the gradient.
 */
export function exactProduct(builder: OnnxBuilder, left: string, { name, weight, transposed }: CodedOperand): string {
  const { bits, shape } = weight;
  const [rows, columns] = shape;
  const type = bits === 8 ? 'uint8' : 'uint4';
  const location = path.basename(weight.file);
  const blocks = [rows, columns / blockLength];
  const codes = builder.externalWeight(`${name}.codes`, type, shape, { location, ...weight.codes });
  const scales = builder.externalWeight(`${name}.scales`, 'float32', blocks, { location, ...weight.scales });
  const middle = builder.once(`middle ${type} ${blocks}`, () => {
    const bytes = Math.ceil((blocks[0]! * blocks[1]! * bits) / 8);
    return builder.constant(type, blocks, new Uint8Array(bytes).fill(bits === 8 ? 128 : 0x88));
  });
  const inTurn = builder.after(scales, [left]);
  const values = builder.one('DequantizeLinear', [codes, inTurn, middle], { axis: 1, block_size: blockLength });
  return builder.product(left, values, false, transposed);
}

/**
 * With the left operand's rows rounded to 8 bits a block, by onnxruntime's own kernel: it reads codes, a quarter or an
 * eighth of the bytes, and that is what generating waits for. Rounding is off by about 0.4 %, as bfloat16 is.
 */
export function roundedProduct(builder: OnnxBuilder, left: string, operand: CodedOperand): string {
  const { name, weight, transposed } = operand;
  if (!transposed) return exactProduct(builder, left, operand);
  const { bits, shape } = weight;
  const [rows, columns] = shape;
  const location = path.basename(weight.file);
  const blocks = columns / blockLength;
  const packed = [rows, blocks, (blockLength * bits) / 8];
  const codes = builder.externalWeight(`${name}.packed`, 'uint8', packed, { location, ...weight.codes });
  const scales = builder.externalWeight(`${name}.flat`, 'float32', [rows * blocks], { location, ...weight.scales });
  const attributes = { N: rows, K: columns, bits, block_size: blockLength, accuracy_level: 4 };
  return builder.one('MatMulNBits', [left, codes, scales], attributes, 'com.microsoft');
}
