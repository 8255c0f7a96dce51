// Runs the end-to-end tests in a real VS Code workbench, which it sets up first where it is missing. It needs what
// `npm run build` makes.
//   node test/e2e/run.mjs [--where-possible] [arguments for vitest, such as a file's name]
// With --where-possible a machine that cannot have the workbench is no error; the tests are left out, and it says so. Continuous
// integration sets LIFT_E2E_REQUIRED, with which it is an error all the same.
import { spawnSync } from 'node:child_process';
import { setUpWorkbench, WorkbenchUnavailable } from './setup/workbench.mjs';

const wherePossible = process.argv.includes('--where-possible') && !process.env.LIFT_E2E_REQUIRED;
const vitestArguments = process.argv.slice(2).filter((argument) => argument !== '--where-possible');

try {
  setUpWorkbench();
} catch (error) {
  if (!(error instanceof WorkbenchUnavailable)) throw error;
  console.log(`\nNOT RUN: the end-to-end tests in a VS Code workbench.\n${error.message}\n`);
  process.exit(wherePossible ? 0 : 1);
}
runNode('scripts/package.mjs', '--target', `linux-${process.arch}`);
runNode('node_modules/vitest/vitest.mjs', 'run', '--config', 'test/e2e/vitest.config.ts', ...vitestArguments);

function runNode(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
