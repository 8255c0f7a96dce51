/**
 * The part of ONNX's file format that a lowered program uses. Field numbers are those of onnx.proto3
 * (github.com/onnx/onnx, IR version 10).
 */
import protobuf from 'protobufjs';

const root = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: { type: 'int64', id: 1 },
        opsetImport: { rule: 'repeated', type: 'OperatorSetIdProto', id: 8 },
        producerName: { type: 'string', id: 2 },
        graph: { type: 'GraphProto', id: 7 },
      },
    },
    OperatorSetIdProto: { fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } } },
    GraphProto: {
      fields: {
        node: { rule: 'repeated', type: 'NodeProto', id: 1 },
        name: { type: 'string', id: 2 },
        initializer: { rule: 'repeated', type: 'TensorProto', id: 5 },
        input: { rule: 'repeated', type: 'ValueInfoProto', id: 11 },
        output: { rule: 'repeated', type: 'ValueInfoProto', id: 12 },
      },
    },
    NodeProto: {
      fields: {
        input: { rule: 'repeated', type: 'string', id: 1 },
        output: { rule: 'repeated', type: 'string', id: 2 },
        name: { type: 'string', id: 3 },
        opType: { type: 'string', id: 4 },
        attribute: { rule: 'repeated', type: 'AttributeProto', id: 5 },
        domain: { type: 'string', id: 7 },
      },
    },
    AttributeProto: {
      fields: {
        name: { type: 'string', id: 1 },
        f: { type: 'float', id: 2 },
        i: { type: 'int64', id: 3 },
        s: { type: 'bytes', id: 4 },
        floats: { rule: 'repeated', type: 'float', id: 7 },
        ints: { rule: 'repeated', type: 'int64', id: 8 },
        type: { type: 'int32', id: 20 },
      },
    },
    TensorProto: {
      fields: {
        dims: { rule: 'repeated', type: 'int64', id: 1 },
        dataType: { type: 'int32', id: 2 },
        name: { type: 'string', id: 8 },
        rawData: { type: 'bytes', id: 9 },
        externalData: { rule: 'repeated', type: 'StringStringEntryProto', id: 13 },
        dataLocation: { type: 'int32', id: 14 },
      },
    },
    StringStringEntryProto: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    ValueInfoProto: { fields: { name: { type: 'string', id: 1 }, type: { type: 'TypeProto', id: 2 } } },
    TypeProto: { fields: { tensorType: { type: 'TensorTypeProto', id: 1 } } },
    TensorTypeProto: { fields: { elemType: { type: 'int32', id: 1 }, shape: { type: 'ShapeProto', id: 2 } } },
    ShapeProto: { fields: { dim: { rule: 'repeated', type: 'DimensionProto', id: 1 } } },
    DimensionProto: { fields: { dimValue: { type: 'int64', id: 1 }, dimParam: { type: 'string', id: 2 } } },
  },
});

const modelType = root.lookupType('ModelProto');

export const elementType = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, uint4: 21 } as const;
export type ElementType = keyof typeof elementType;

const attributeType = { float: 1, int: 2, string: 3, floats: 6, ints: 7 } as const;

export type OnnxAttribute = { int: number } | { ints: readonly number[] } | { float: number } | { string: string };

export interface OnnxNode {
  opType: string;
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: Record<string, OnnxAttribute>;
}

export interface OnnxInitializer {
  name: string;
  dtype: ElementType;
  shape: readonly number[];
  data: Uint8Array | { location: string; byteOffset: number; byteLength: number };
}

export interface OnnxValueInfo {
  name: string;
  dtype: ElementType;
  shape: readonly (number | string)[];
}

export interface OnnxModel {
  name: string;
  nodes: OnnxNode[];
  initializers: OnnxInitializer[];
  inputs: OnnxValueInfo[];
  outputs: OnnxValueInfo[];
}

/** The bytes of a model file: opset 21, with onnxruntime's own operators (domain com.microsoft) allowed. */
export function encodeModel(model: OnnxModel): Uint8Array {
  return modelType
    .encode({
      irVersion: 10,
      opsetImport: [
        { domain: '', version: 21 },
        { domain: 'com.microsoft', version: 1 },
      ],
      producerName: 'lift',
      graph: {
        name: model.name,
        node: model.nodes.map((node, i) => ({
          input: node.inputs,
          output: node.outputs,
          name: `${i}_${node.opType}`,
          opType: node.opType,
          domain: node.domain,
          attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(name, value)),
        })),
        initializer: model.initializers.map(encodeInitializer),
        input: model.inputs.map(encodeValueInfo),
        output: model.outputs.map(encodeValueInfo),
      },
    })
    .finish();
}

function encodeAttribute(name: string, value: OnnxAttribute) {
  if ('int' in value) return { name, i: value.int, type: attributeType.int };
  if ('ints' in value) return { name, ints: value.ints, type: attributeType.ints };
  if ('float' in value) return { name, f: value.float, type: attributeType.float };
  return { name, s: new TextEncoder().encode(value.string), type: attributeType.string };
}

function encodeInitializer({ name, dtype, shape, data }: OnnxInitializer) {
  const tensor = { name, dims: shape, dataType: elementType[dtype] };
  if (data instanceof Uint8Array) return { ...tensor, rawData: data };
  const external = { location: data.location, offset: `${data.byteOffset}`, length: `${data.byteLength}` };
  return {
    ...tensor,
    dataLocation: 1,
    externalData: Object.entries(external).map(([key, value]) => ({ key, value })),
  };
}

function encodeValueInfo({ name, dtype, shape }: OnnxValueInfo) {
  const dim = shape.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType: elementType[dtype], shape: { dim } } } };
}
