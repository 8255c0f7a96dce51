#!/usr/bin/env node
/** `lift`: the native host in a terminal. */
import { version } from '../package.json';
import type { CliContext } from './cli/context.ts';
import { interruptOf } from './cli/interrupt.ts';
import { runCli } from './cli/program.ts';
import { workerFile } from './locations.ts';
import { openServices } from './open-services.ts';

const context: CliContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  workingFolder: process.cwd(),
  version,
  interrupt: interruptOf(process),
  workerFile,
  openServices,
  async bench(name, options) {
    switch (name) {
      case 'train':
        return (await import('./bench/train.ts')).benchTrain(options);
      case 'decode':
        return (await import('./bench/decode.ts')).benchDecode(options);
      case 'scan':
        return (await import('./bench/scan.ts')).benchScan(options);
      case 'load':
        return (await import('./bench/load.ts')).benchLoad(options);
    }
  },
};

const exitStatus = await runCli(process.argv.slice(2), context);
// Output to a pipe may still be under way.
process.stdout.write('', () => process.exit(exitStatus));
