import * as ort from 'onnxruntime-node';
import { type ElementType, encodeModel } from './proto.ts';

/**
 * Reads tensors back from a GPU. onnxruntime-node cannot download one (asking for it ends the process), but what a
 * program gives out on the host is copied there, so a program that does nothing is the way.
 */
export class GpuReader {
  private readonly sessions = new Map<string, Promise<ort.InferenceSession>>();

  constructor(private readonly device: string) {}

  /** The tensor's values; those of a tensor on the host as they are. */
  async read(tensor: ort.Tensor): Promise<Float32Array | Int32Array> {
    if (tensor.location !== 'gpu-buffer') return tensor.data as Float32Array | Int32Array;
    const session = await this.session(tensor.type as ElementType, tensor.dims.length);
    const { y } = await session.run({ x: tensor });
    return y!.data as Float32Array | Int32Array;
  }

  async close(): Promise<void> {
    for (const session of this.sessions.values()) await (await session).release();
    this.sessions.clear();
  }

  private session(dtype: ElementType, rank: number): Promise<ort.InferenceSession> {
    const key = `${dtype} ${rank}`;
    let session = this.sessions.get(key);
    if (session === undefined) {
      const shape = Array.from({ length: rank }, (_, axis) => `d${axis}`);
      const model = encodeModel({
        name: 'read',
        nodes: [{ opType: 'Identity', domain: '', inputs: ['x'], outputs: ['y'], attributes: {} }],
        initializers: [],
        inputs: [{ name: 'x', dtype, shape }],
        outputs: [{ name: 'y', dtype, shape }],
      });
      session = ort.InferenceSession.create(model, { executionProviders: [this.device], logSeverityLevel: 3 });
      this.sessions.set(key, session);
    }
    return session;
  }
}
