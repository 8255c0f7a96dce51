/** An open card: its driver, the kernels and memory, and running a plan's steps. */

import { DeviceMemory } from './device-memory.ts';
import type { Driver, KernelArgument, Launch } from './driver.ts';
import { type KernelLaunch, type KernelName, kernelParameters, kernelTable } from './kernel-table.ts';
import type { Area, Step } from './plan.ts';

export class Card {
  readonly memory: DeviceMemory;
  private readonly functions = new Map<KernelName, { function: number; kinds: string[] }>();

  constructor(
    readonly driver: Driver,
    private readonly module: number,
  ) {
    this.memory = new DeviceMemory(driver);
  }

  /** Asks a stream to do the steps. `addressOf` says where each area lies. */
  perform(steps: readonly Step[], addressOf: (area: Area) => number, stream: number): void {
    for (const step of steps) {
      if (step.kind === 'launch') this.launch(step.launch, addressOf, stream);
      else if (step.kind === 'zero') this.driver.fillWithZeros(addressOf(step.target), step.bytes, stream);
      else this.driver.copyOnDevice(addressOf(step.target), addressOf(step.source), step.bytes, stream);
    }
  }

  launch<Buffer>(launch: KernelLaunch<Buffer>, addressOf: (buffer: Buffer) => number, stream: number): void {
    const { function: kernel, kinds } = this.functionOf(launch.kernel);
    const { threads, sharedBytes } = kernelTable[launch.kernel];
    const given = launch.arguments.map((value, i): KernelArgument => {
      if (kinds[i] === 'p') return { address: value === null ? 0 : addressOf(value as Buffer) };
      return kinds[i] === 'i' ? { int: value as number } : { float: value as number };
    });
    const request: Launch = { function: kernel, grid: launch.grid, block: threads, sharedBytes, arguments: given };
    this.driver.launch(request, stream);
  }

  private functionOf(name: KernelName) {
    let known = this.functions.get(name);
    if (known === undefined) {
      const kinds = kernelParameters(name).map(({ kind }) => kind);
      known = { function: this.driver.kernel(this.module, name, kernelTable[name].sharedBytes), kinds };
      this.functions.set(name, known);
    }
    return known;
  }
}
