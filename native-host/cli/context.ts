/** What the commands need from the world around them. `cli.ts` gives the real one, a test its own. */
import type { BenchOptions, BenchRow } from '../bench/bench-row.ts';
import type { ServiceOptions, Services } from '../services.ts';

/** A terminal, a file or a pipe. */
export interface Output extends NodeJS.WritableStream {
  isTTY?: boolean;
  columns?: number;
}

export interface Interrupt {
  /** Aborts when the user asks for an end, or when nobody reads the output any more. */
  signal: AbortSignal;
  /** The exit status that this calls for; null before. */
  readonly exitStatus: number | null;
}

export const benchNames = ['train', 'decode', 'scan', 'load'] as const;
export type BenchName = (typeof benchNames)[number];

export interface CliContext {
  /** Results. */
  stdout: Output;
  /** Progress, notes and errors. */
  stderr: Output;
  environment: NodeJS.ProcessEnv;
  workingFolder: string;
  version: string;
  interrupt: Interrupt;
  workerFile: URL;
  openServices(options: ServiceOptions): Promise<Services>;
  bench(name: BenchName, options: BenchOptions & { folder?: string }): Promise<BenchRow[]>;
}

/** A command used wrongly: exit status 2, where anything else that fails has 1. */
export class UsageError extends Error {
  override name = 'UsageError';
}
